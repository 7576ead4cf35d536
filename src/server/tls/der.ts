/** A value of DER (X.690). */
export interface Element {
  readonly tag: number;
  readonly content: Buffer;
  readonly whole: Buffer;
}

export const tags = { integer: 0x02, sequence: 0x30, context0: 0xa0 } as const;

/** Throws if `content` ends within an element. */
export function partsOf(content: Buffer): Element[] {
  const parts: Element[] = [];
  for (let at = 0; at < content.length; ) {
    const part = elementAt(content, at);
    parts.push(part);
    at += part.whole.length;
  }
  return parts;
}

/** Lengths of more than six bytes are refused. */
function elementAt(bytes: Buffer, at: number): Element {
  const lengthByte = bytes.readUInt8(at + 1);
  const lengthBytes = lengthByte < 0x80 ? 0 : lengthByte - 0x80;
  const length = lengthBytes === 0 ? lengthByte : bytes.readUIntBE(at + 2, lengthBytes);
  const start = at + 2 + lengthBytes;
  if (start + length > bytes.length) throw new Error("cut off");
  return { tag: bytes.readUInt8(at), content: bytes.subarray(start, start + length), whole: bytes.subarray(at, start + length) };
}

/** The elements of the part of a certificate or of a revocation list that is signed. */
export function signedParts(der: Buffer): Element[] {
  const signed = partsOf(elementAt(der, 0).content)[0];
  if (signed?.tag !== tags.sequence) throw new Error("not a signed structure");
  return partsOf(signed.content);
}
