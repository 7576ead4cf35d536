/** What is needed of a certificate revocation list (RFC 5280, section 5.1). OpenSSL checks the rest, including the signature. */
export interface RevocationList {
  /** The name of the authority, in DER. */
  readonly issuer: Buffer;
  /** Serial numbers of revoked certificates, as `serialOf` writes them. */
  readonly serials: readonly string[];
}

/** What is needed of a certificate. Only issuer and serial number together identify it: every authority counts by itself. */
export interface CertificateIds {
  /** As `serialOf` writes it. */
  readonly serial: string;
  /** Names in DER. */
  readonly issuer: Buffer;
  readonly subject: Buffer;
}

/** A value of DER (X.690). */
interface Element {
  readonly tag: number;
  readonly content: Buffer;
  readonly whole: Buffer;
}

const integer = 0x02;
const sequence = 0x30;
const version = 0xa0;

/** Node cannot read such lists. Throws if `der` is not a list. */
export function readRevocationList(der: Buffer): RevocationList {
  const parts = partsOf(firstPart(der));
  // Version, algorithm, issuer, times. A list of version 1 has no version.
  const [, issuer, , ...rest] = parts[0]?.tag === integer ? parts.slice(1) : parts;
  if (issuer?.tag !== sequence) throw new Error("no issuer");
  // The time of the next list is optional.
  const revoked = rest.find(({ tag }) => tag === sequence)?.content ?? Buffer.alloc(0);
  const serials = partsOf(revoked).map(({ content }) => {
    const serial = partsOf(content)[0];
    if (serial?.tag !== integer) throw new Error("no serial number");
    return serialOf(serial);
  });
  return { issuer: issuer.whole, serials };
}

/** Reads a certificate in DER. */
export function readCertificateIds(certificate: Buffer): CertificateIds {
  const parts = partsOf(firstPart(certificate));
  // Serial number, algorithm, issuer, validity, subject. A certificate of version 1 has no version before them.
  const [serial, , issuer, , subject] = parts[0]?.tag === version ? parts.slice(1) : parts;
  if (serial === undefined || issuer === undefined || subject === undefined) throw new Error("no subject");
  return { serial: serialOf(serial), issuer: issuer.whole, subject: subject.whole };
}

/** Writes a serial number in one way, because some authorities write leading zeros. */
function serialOf({ content }: Element): string {
  return content.toString("hex").replace(/^0+/, "");
}

/** The part of a list or a certificate that is signed. */
function firstPart(der: Buffer): Buffer {
  const signed = partsOf(elementAt(der, 0).content)[0];
  if (signed?.tag !== sequence) throw new Error("not a signed structure");
  return signed.content;
}

function partsOf(content: Buffer): Element[] {
  const parts: Element[] = [];
  for (let at = 0; at < content.length; ) {
    const part = elementAt(content, at);
    parts.push(part);
    at += part.whole.length;
  }
  return parts;
}

function elementAt(bytes: Buffer, at: number): Element {
  const lengthByte = bytes.readUInt8(at + 1);
  const lengthBytes = lengthByte < 0x80 ? 0 : lengthByte - 0x80;
  const length = lengthBytes === 0 ? lengthByte : bytes.readUIntBE(at + 2, lengthBytes);
  const start = at + 2 + lengthBytes;
  if (start + length > bytes.length) throw new Error("cut off");
  return { tag: bytes.readUInt8(at), content: bytes.subarray(start, start + length), whole: bytes.subarray(at, start + length) };
}
