import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
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

export interface TlsText {
  /** The setting that names the file, for errors. */
  readonly setting: string;
  /** An Error with the reason if the file cannot be read. */
  readonly content: Buffer | Error;
}

/** What the files of the settings hold. */
export interface TlsTexts {
  readonly certFile: TlsText;
  readonly keyFile: TlsText;
  /** Null: clients are not asked for a certificate. */
  readonly clientCaFile: TlsText | null;
  /** Null: no client certificate is revoked. */
  readonly clientCrlFile: TlsText | null;
}

/** Checks that the texts match. Throws an Error that names the setting and quotes nothing of a file. */
export function tlsMaterialOf({ certFile, keyFile, clientCaFile, clientCrlFile }: TlsTexts): TlsMaterial {
  const cert = bufferOf(certFile);
  const key = bufferOf(keyFile);
  const leaf = parsed(`${certFile.setting}: holds no certificate in PEM`, () => new X509Certificate(cert));
  const privateKey = parsed(`${keyFile.setting}: holds no private key in PEM without a passphrase`, () => createPrivateKey(key));
  if (!leaf.checkPrivateKey(privateKey)) throw new Error(`${keyFile.setting}: does not belong to the certificate of ${certFile.setting}`);
  const clientCa = clientCaFile === null ? undefined : authoritiesOf(clientCaFile);
  const clientCrl = clientCaFile === null || clientCrlFile === null ? undefined : listsOf(clientCrlFile, clientCaFile, clientCa ?? []);
  parsed(`${certFile.setting}: the chain cannot be used`, () => createSecureContext({ cert, key, ...(clientCa && { ca: clientCa }) }));
  return { cert, key, clientCa, clientCrl };
}

function bufferOf({ setting, content }: TlsText): Buffer {
  if (content instanceof Error) throw new Error(`${setting}: cannot be read: ${content.message}`);
  return content;
}

const pemCertificate = /-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=]+-----END CERTIFICATE-----/g;

/** Returns at least one, because without any Node would trust the authorities of the public web. */
function authoritiesOf(text: TlsText): string[] {
  const { setting } = text;
  const pems = bufferOf(text).toString("latin1").match(pemCertificate) ?? [];
  if (pems.length === 0) throw new Error(`${setting}: holds no certificate in PEM`);
  const all = pems.map((pem, index) => parsed(`${setting}: certificate ${index + 1} cannot be read`, () => new X509Certificate(pem)));
  for (const [index, authority] of all.entries()) {
    if (!authority.ca) throw new Error(`${setting}: certificate ${index + 1} is not one of an authority (CA:TRUE)`);
    if (!all.some((issuer) => authority.checkIssued(issuer) && authority.verify(issuer.publicKey)))
      throw new Error(`${setting}: the issuer of certificate ${index + 1} is missing; the file must lead to a root`);
  }
  return all.map((authority) => authority.toString());
}

const pemList = /-----BEGIN X509 CRL-----[\sA-Za-z0-9+/=]+-----END X509 CRL-----/g;

/** OpenSSL refuses a client if one of its authorities has no list, so that each must have one. */
function listsOf(text: TlsText, clientCaFile: TlsText, authorities: readonly string[]): RevocationLists {
  const pems = bufferOf(text).toString("latin1").match(pemList) ?? [];
  const lists = pems.map((pem, index) =>
    parsed(`${text.setting}: list ${index + 1} cannot be read`, () => {
      createSecureContext({ crl: pem });
      return readRevocationList(Buffer.from(pem.replace(/-----[^-]+-----/g, ""), "base64"));
    }),
  );
  for (const [index, authority] of authorities.entries()) {
    const name = readCertificateIds(new X509Certificate(authority).raw).subject;
    if (!lists.some(({ issuer }) => issuer === name))
      throw new Error(`${text.setting}: has no list of certificate ${index + 1} of ${clientCaFile.setting}`);
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
