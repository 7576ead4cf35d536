import { macaroonPrefix } from "../credential-shape.ts";

/** The parts of a macaroon. It has no location: the signature does not cover it, so anybody could change it. */
export interface Macaroon {
  readonly identifier: Uint8Array;
  /** First-party caveats only. */
  readonly caveats: readonly Uint8Array[];
  /** 32 bytes. */
  readonly signature: Uint8Array;
}

/** Enough for 100 scopes, metadata and custom claims at their limits, some 48,000 characters, and caveats. */
export const maxMacaroonLength = 65_536;
export const maxCaveats = 64;
/** Enough for a list of 100 scopes. */
export const maxCaveatBytes = 26_000;

const version = 2;
/** Group 1 is the base64 in one of the two alphabets, group 2 the padding. */
const base64Text = new RegExp(`^${macaroonPrefix}([\\w-]+|[A-Za-z\\d+/]+)(={0,2})$`);
/** The form that `macaroonToText` writes. A macaroon with an empty location begins with "AgEA". */
const usualText = new RegExp(`^${macaroonPrefix}(?!AgEA)[\\w-]+$`);
const field = { endOfSection: 0, location: 1, identifier: 2, signature: 6 } as const;
const signatureBytes = 32;
const maxLengthBytes = 3;

/** The prefix and the binary in base64url without padding. */
export function macaroonToText({ identifier, caveats, signature }: Macaroon): string {
  const bytes = Buffer.concat([
    Buffer.of(version),
    ...fieldOf(field.identifier, identifier),
    Buffer.of(field.endOfSection),
    ...caveats.flatMap((caveat) => [...fieldOf(field.identifier, caveat), Buffer.of(field.endOfSection)]),
    Buffer.of(field.endOfSection),
    ...fieldOf(field.signature, signature),
  ]);
  return macaroonPrefix + bytes.toString("base64url");
}

/**
 * Reads the texts that `macaroonToText` and the libraries of holders write: version 2 of the binary format of libmacaroons (its
 * doc/format.txt),
 *
 *     macaroon  = VERSION [ LOCATION ] IDENTIFIER EOS { caveat } EOS SIGNATURE
 *     caveat    = IDENTIFIER EOS
 *
 * in base64 of either alphabet, padded or not, because libraries differ in that. Some libraries write an empty location; no other is
 * accepted.
 *
 * Returns null for anything else: another order, duplicate fields, lengths that are not in their shortest form, bytes after the end, more
 * than the bounds above allow, and third-party caveats, which cannot be discharged here. Never throws.
 */
export function macaroonFromText(text: string): Macaroon | null {
  const bytes = bytesOf(text);
  return bytes === null ? null : readFields(bytes);
}

/**
 * The canonical text of a macaroon, which is the one that `macaroonToText` writes. Returns null for some texts that are not a macaroon.
 * `macaroonFromText` finds the others.
 */
export function canonicalMacaroonText(text: string): string | null {
  if (usualText.test(text) && text.length <= maxMacaroonLength) return text;
  const bytes = bytesOf(text);
  if (bytes === null) return null;
  const hasEmptyLocation = bytes[1] === field.location && bytes[2] === 0;
  return macaroonPrefix + (hasEmptyLocation ? Buffer.concat([bytes.subarray(0, 1), bytes.subarray(3)]) : bytes).toString("base64url");
}

function bytesOf(text: string): Buffer | null {
  const [, base64, padding = ""] = base64Text.exec(text) ?? [];
  if (base64 === undefined || macaroonPrefix.length + base64.length > maxMacaroonLength) return null;
  if (padding !== "" && (base64.length + padding.length) % 4 !== 0) return null;
  const bytes = Buffer.from(base64, "base64");
  // The last character may have unused bits, which must be 0.
  if (bytes.toString("base64url") !== base64.replaceAll("+", "-").replaceAll("/", "_")) return null;
  return bytes[0] === version ? bytes : null;
}

function readFields(bytes: Buffer): Macaroon | null {
  let position = 1;

  const takeEnd = () => {
    if (bytes[position] !== field.endOfSection) return false;
    position += 1;
    return true;
  };

  /**
   * Takes the content of a field. Returns null if another field is next, and does not consume that. After a broken field it always returns
   * null.
   */
  const take = (type: number): Buffer | null => {
    if (bytes[position] !== type) return null;
    const length = readLength(bytes, position + 1);
    const begin = position + 1 + (length?.size ?? 0);
    if (length === null || length.value > bytes.length - begin) {
      position = bytes.length;
      return null;
    }
    position = begin + length.value;
    return bytes.subarray(begin, position);
  };

  if (bytes[position] === field.location && take(field.location)?.length !== 0) return null;
  const identifier = take(field.identifier);
  if (identifier === null || !takeEnd()) return null;
  const caveats: Buffer[] = [];
  while (!takeEnd()) {
    const caveat = take(field.identifier);
    if (caveat === null || !takeEnd() || caveat.length > maxCaveatBytes || caveats.length === maxCaveats) return null;
    caveats.push(caveat);
  }
  const signature = take(field.signature);
  if (signature?.length !== signatureBytes || position !== bytes.length) return null;
  return { identifier, caveats, signature };
}

function fieldOf(type: number, content: Uint8Array): Uint8Array[] {
  return [Buffer.of(type, ...lengthOf(content)), content];
}

/** The length as a varint: seven bits a byte, the least significant first. The highest bit is set in every byte but the last. */
function lengthOf({ length }: Uint8Array): number[] {
  const bytes: number[] = [];
  for (let rest = length; ; rest >>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

function readLength(bytes: Uint8Array, position: number): { value: number; size: number } | null {
  let value = 0;
  for (let size = 1; size <= maxLengthBytes; size += 1) {
    const byte = bytes[position + size - 1];
    if (byte === undefined || (byte === 0 && size > 1)) return null;
    value |= (byte & 0x7f) << (7 * (size - 1));
    if (byte < 0x80) return { value, size };
  }
  return null;
}
