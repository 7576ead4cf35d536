import type { X509Certificate } from "node:crypto";
import type { PeerCertificate, TLSSocket } from "node:tls";
import type { ClientCertificate, RefusedCertificate } from "../../call/client-certificate.ts";
import { type CertificateIds, readCertificateIds } from "./certificate-ids.ts";

const maxNameChars = 512;
/** One item of a SAN in Node's format. Values with special characters are JSON texts, so that none can be mistaken for another item. */
const sanItem = /([A-Za-z][A-Za-z ]*):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/y;

/** Returns the certificate of a TLS connection's client; undefined if it sent none. */
export function peerCertificate(socket: TLSSocket): ClientCertificate | RefusedCertificate | undefined {
  const x509 = socket.getPeerX509Certificate();
  if (x509 === undefined) return undefined;
  // OpenSSL also reports a resumed connection without a certificate as authorized, so check both.
  if (!socket.authorized) return { refusal: String(socket.authorizationError ?? "UNVERIFIED") };
  const names = namesOf(x509.subjectAltName ?? "");
  const name = names?.uri[0] ?? names?.dns[0] ?? x509.subject?.replaceAll("\n", ",");
  if (names === null || !isName(name)) return { refusal: "UNREADABLE_NAME" };
  const claims = { ...names, subject: subjectOf(x509) };
  return { name: `certificate:${name}`, claims, expireTimeMs: earliestEndMs(socket, x509) };
}

function isName(name: string | undefined): name is string {
  return name !== undefined && name !== "" && name.length <= maxNameChars && !/[\p{Cc}\p{Cf}]/u.test(name);
}

/** Returns null if the SAN cannot be read completely. */
function namesOf(subjectAltName: string): { readonly uri: string[]; readonly dns: string[] } | null {
  const [uri, dns]: [string[], string[]] = [[], []];
  for (let at = 0; at < subjectAltName.length; at = sanItem.lastIndex) {
    sanItem.lastIndex = at;
    const [, type, text] = sanItem.exec(subjectAltName) ?? [];
    if (text === undefined) return null;
    const list = type === "URI" ? uri : type === "DNS" ? dns : undefined;
    list?.push(text.startsWith('"') ? JSON.parse(text) : text);
  }
  return { uri, dns };
}

/** The attributes of the subject, by their short names (`CN`, `O`, `OU`). */
function subjectOf(x509: X509Certificate): Record<string, string[]> {
  const { subject } = x509.toLegacyObject() as { subject?: Readonly<Record<string, string | string[]>> };
  return Object.fromEntries(Object.entries(subject ?? {}).map(([name, value]) => [name, [value].flat()]));
}

/** The earliest expiry in the chain, because OpenSSL checks the chain only when the connection begins. */
function earliestEndMs(socket: TLSSocket, leaf: X509Certificate): number {
  return Math.min(leaf.validToDate.getTime(), ...chainOf(socket).map((each) => Date.parse(each.valid_to)));
}

/** The names that a revocation list has for a certificate: its issuer and its serial number. */
export type Revocable = Pick<CertificateIds, "issuer" | "serial">;

/** Returns what revocation lists may name of the chain. Null if a certificate cannot be read: any list might name it. */
export function peerChain(socket: TLSSocket): readonly Revocable[] | null {
  try {
    return chainOf(socket).map(({ raw }) => readCertificateIds(raw));
  } catch {
    return null;
  }
}

/** The certificate of the client and those of its authorities, up to the root. */
function chainOf(socket: TLSSocket): PeerCertificate[] {
  const chain = new Set<PeerCertificate>();
  let each: PeerCertificate | undefined = socket.getPeerCertificate(true);
  while (each?.valid_to !== undefined && !chain.has(each)) {
    chain.add(each);
    each = "issuerCertificate" in each ? (each.issuerCertificate as PeerCertificate) : undefined;
  }
  return [...chain];
}
