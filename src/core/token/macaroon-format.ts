import { macaroonPrefix } from "../credential-shape.ts";

/** What a macaroon is made of. It has no location: no signature covers that one, so anybody could write what they like there. */
export interface Macaroon {
  readonly identifier: Uint8Array;
  /** First-party ones only. */
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
/** Group 1 is the base64 in one of the alphabets, group 2 the padding. */
const base64Text = new RegExp(`^${macaroonPrefix}([\\w-]+|[A-Za-z\\d+/]+)(={0,2})$`);
/** As `macaroonToText` writes it: "AgEA" is how a macaroon with an empty location begins. */
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
 * Reads what `macaroonToText` and the libraries of holders write: version 2 of the binary format of libmacaroons (doc/format.txt there).
 *
 *     macaroon  = VERSION [ LOCATION ] IDENTIFIER EOS { caveat } EOS SIGNATURE
 *     caveat    = IDENTIFIER EOS
 *
 * in base64 of either alphabet, padded or not, since libraries differ in that. Some write a location where there is none: it must be empty.
 *
 * Null for all else: other orders, fields that come twice, lengths that are not written in the shortest way, bytes at the end, more than the
 * bounds above allow, and third-party caveats, which nobody could discharge here. Never throws.
 */
export function macaroonFromText(text: string): Macaroon | null {
  const bytes = bytesOf(text);
  return bytes === null ? null : readFields(bytes);
}

/**
 * One text for all in which the same macaroon can arrive: what `macaroonToText` writes. Null for some of the texts that are no macaroon;
 * the others are left to `macaroonFromText`.
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
  // Of the last character some bits may be left over, and none of them may be set.
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

  /** The content of a field, or null where another one comes, which is left. A broken field is null as well, and the last that is read. */
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

/** As a varint: seven bits a byte, the least significant first, all but the last byte marked by the bit above them. */
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
