import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import type { Config, TlsFile, TlsFiles } from "../config/config.ts";
import { ConfigError } from "../config/problems.ts";
import { systemReason } from "../error/system-reason.ts";
import type { Log } from "../ports/log.ts";
import { type ClientCertificates, createClientCertificates } from "../server/tls/client-certificates.ts";
import { type TlsMaterial, type TlsText, type TlsTexts, tlsMaterialOf } from "../server/tls/tls-material.ts";

/** Certificates of the server and of its clients. */
export interface Tls {
  /** Undefined: clear text. */
  readonly material: TlsMaterial | undefined;
  /** Undefined if clients are not asked for certificates. */
  readonly certificates: ClientCertificates | undefined;
  /** When the certificate in use expires; 0 without TLS. */
  expireTimeMs(): number;
  /** Checks the files. If they have changed, calls `replace`. Unusable files are logged once and change nothing. */
  check(replace: (material: TlsMaterial) => void, log: Pick<Log, "info" | "error">): void;
}

const watchIntervalMs = 2000;

/** Checks the files at an interval, until the returned function is called. */
export function watchTls(tls: Tls, replace: (material: TlsMaterial) => void, log: Log): () => void {
  const timer = setInterval(() => tls.check(replace, log), watchIntervalMs);
  return () => clearInterval(timer);
}

/** Reads the files. Throws ConfigError if they cannot be used. */
export function openTls(files: Config["tls"], clock: () => number): Tls {
  if (files === null) return { material: undefined, certificates: undefined, expireTimeMs: () => 0, check: () => {} };
  let texts = textsOf(files);
  const material = firstMaterial(texts);
  let expireTimeMs = expireTimeOf(material);
  return {
    material,
    certificates: material.clientCa === undefined ? undefined : createClientCertificates(material, clock),
    expireTimeMs: () => expireTimeMs,
    check(replace, log) {
      // Compares the texts, because Kubernetes replaces files by swapping a link, and file times are coarse.
      const newer = textsOf(files);
      if (isDeepStrictEqual(newer, texts)) return;
      texts = newer;
      try {
        const replacement = tlsMaterialOf(newer);
        replace(replacement);
        expireTimeMs = expireTimeOf(replacement);
        log.info({ expires: new Date(expireTimeMs).toISOString() }, "certificates were read again");
      } catch (error) {
        log.error({ problem: (error as Error).message }, "the certificates cannot be used; the previous ones stay");
      }
    },
  };
}

function textsOf({ certFile, keyFile, clientCaFile, clientCrlFile }: TlsFiles): TlsTexts {
  return {
    certFile: textOf(certFile),
    keyFile: textOf(keyFile),
    clientCaFile: clientCaFile && textOf(clientCaFile),
    clientCrlFile: clientCrlFile && textOf(clientCrlFile),
  };
}

function textOf({ path, setting }: TlsFile): TlsText {
  try {
    return { setting, content: readFileSync(path) };
  } catch (error) {
    return { setting, content: new Error(`${path}: ${systemReason(error)}`) };
  }
}

function firstMaterial(texts: TlsTexts): TlsMaterial {
  try {
    return tlsMaterialOf(texts);
  } catch (error) {
    throw new ConfigError([(error as Error).message]);
  }
}

function expireTimeOf({ cert }: TlsMaterial): number {
  return new X509Certificate(cert).validToDate.getTime();
}
