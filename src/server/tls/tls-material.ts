import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { systemReason } from "../../error/system-reason.ts";
import { readCertificateIds } from "./certificate-ids.ts";
import { readRevocationList } from "./revocation-list.ts";

/** The input of a TLS listener, in PEM. */
export interface TlsMaterial {
  /** The chain, leaf first. */
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Authorities of client certificates, one certificate each. Undefined: clients are not asked for a certificate. */
  readonly clientCa?: readonly string[] | undefined;
  /** Undefined: no client certificate is revoked. */
  readonly clientCrl?: RevocationLists | undefined;
}

export interface RevocationLists {
  /** PEM texts with one list each. */
  readonly pems: readonly string[];
  /** Serial numbers of revoked certificates by the name of their issuer, as `comparableName` writes it. */
  readonly revoked: ReadonlyMap<string, ReadonlySet<string>>;
}

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** Null: clients are not asked for a certificate. */
  readonly clientCaFile: string | null;
  /** Null: no client certificate is revoked. */
  readonly clientCrlFile: string | null;
}

/** The current texts of the files. A file that cannot be read is an Error with the reason. */
export type TlsTexts = readonly (Buffer | Error | null)[];

export function readTlsTexts({ certFile, keyFile, clientCaFile, clientCrlFile }: TlsFiles): TlsTexts {
  return [certFile, keyFile, clientCaFile, clientCrlFile].map((file) => {
    try {
      return file === null ? null : readFileSync(file);
    } catch (error) {
      return new Error(`${file}: ${systemReason(error)}`);
    }
  });
}

/** Checks that the texts match. Throws an Error that names the setting and quotes nothing of a file. */
export function tlsMaterialOf([certText, keyText, clientCaText, clientCrlText]: TlsTexts): TlsMaterial {
  const cert = bufferOf("tls_cert_file", certText);
  const key = bufferOf("tls_key_file", keyText);
  const leaf = parsed("tls_cert_file: holds no certificate in PEM", () => new X509Certificate(cert));
  const privateKey = parsed("tls_key_file: holds no private key in PEM without a passphrase", () => createPrivateKey(key));
  if (!leaf.checkPrivateKey(privateKey)) throw new Error("tls_key_file: does not belong to the certificate of tls_cert_file");
  const clientCa = clientCaText === null ? undefined : authoritiesOf(bufferOf("tls_client_ca_file", clientCaText));
  const clientCrl = clientCrlText === null ? undefined : listsOf(bufferOf("tls_client_crl_file", clientCrlText), clientCa ?? []);
  parsed("tls_cert_file: the chain cannot be used", () => createSecureContext({ cert, key, ...(clientCa && { ca: clientCa }) }));
  return { cert, key, clientCa, clientCrl };
}

function bufferOf(setting: string, text: Buffer | Error | null | undefined): Buffer {
  if (text instanceof Buffer) return text;
  throw new Error(`${setting}: cannot be read: ${text instanceof Error ? text.message : "missing"}`);
}

const pemCertificate = /-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=]+-----END CERTIFICATE-----/g;

/** Returns at least one, because without any Node would trust the authorities of the public web. */
function authoritiesOf(text: Buffer): string[] {
  const pems = text.toString("latin1").match(pemCertificate) ?? [];
  if (pems.length === 0) throw new Error("tls_client_ca_file: holds no certificate in PEM");
  const all = pems.map((pem, index) =>
    parsed(`tls_client_ca_file: certificate ${index + 1} cannot be read`, () => new X509Certificate(pem)),
  );
  for (const [index, authority] of all.entries()) {
    if (!authority.ca) throw new Error(`tls_client_ca_file: certificate ${index + 1} is not one of an authority (CA:TRUE)`);
    if (!all.some((issuer) => authority.checkIssued(issuer) && authority.verify(issuer.publicKey)))
      throw new Error(`tls_client_ca_file: the issuer of certificate ${index + 1} is missing; the file must lead to a root`);
  }
  return all.map((authority) => authority.toString());
}

const pemList = /-----BEGIN X509 CRL-----[\sA-Za-z0-9+/=]+-----END X509 CRL-----/g;

/** OpenSSL refuses a client if one of its authorities has no list, so that each must have one. */
function listsOf(text: Buffer, authorities: readonly string[]): RevocationLists {
  const pems = text.toString("latin1").match(pemList) ?? [];
  const lists = pems.map((pem, index) =>
    parsed(`tls_client_crl_file: list ${index + 1} cannot be read`, () => {
      createSecureContext({ crl: pem });
      return readRevocationList(Buffer.from(pem.replace(/-----[^-]+-----/g, ""), "base64"));
    }),
  );
  for (const [index, authority] of authorities.entries()) {
    const name = readCertificateIds(new X509Certificate(authority).raw).subject;
    if (!lists.some(({ issuer }) => issuer === name))
      throw new Error(`tls_client_crl_file: has no list of certificate ${index + 1} of tls_client_ca_file`);
  }
  const revoked = new Map<string, Set<string>>();
  for (const { issuer, serials } of lists) {
    revoked.set(issuer, new Set([...(revoked.get(issuer) ?? []), ...serials]));
  }
  return { pems, revoked };
}

function parsed<T>(problem: string, parse: () => T): T {
  try {
    return parse();
  } catch {
    // OpenSSL's message says less than ours.
    throw new Error(problem);
  }
}
