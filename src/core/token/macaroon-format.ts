/** What a macaroon is made of. Its location is left out: nothing vouches for it, so it is read over and never written. */
export interface Macaroon {
  readonly identifier: Uint8Array;
  /** First-party ones only. */
  readonly caveats: readonly Uint8Array[];
  /** 32 bytes. */
  readonly signature: Uint8Array;
}

/** What can still be sent as a bearer token: HTTP servers take some 16 KiB of headers. */
export const maxMacaroonLength = 15_000;
export const maxCaveats = 64;
export const maxCaveatBytes = 4096;

const prefix = "mc_v1_";
const version = 2;
const field = { endOfSection: 0, location: 1, identifier: 2, signature: 6 } as const;
const signatureBytes = 32;

/** `mc_v1_` and the binary in base64url without padding. */
export function macaroonToText({ identifier, caveats, signature }: Macaroon): string {
  const bytes = Buffer.concat([
    Buffer.of(version),
    ...fieldOf(field.identifier, identifier),
    Buffer.of(field.endOfSection),
    ...caveats.flatMap((caveat) => [...fieldOf(field.identifier, caveat), Buffer.of(field.endOfSection)]),
    Buffer.of(field.endOfSection),
    ...fieldOf(field.signature, signature),
  ]);
  return prefix + bytes.toString("base64url");
}

/**
 * Reads what `macaroonToText` and the libraries of holders write: version 2 of the binary format of libmacaroons (doc/format.txt there).
 *
 *     macaroon  = VERSION [ LOCATION ] IDENTIFIER EOS { caveat } EOS SIGNATURE
 *     caveat    = IDENTIFIER EOS
 *
 * Null for all else: other orders, fields that come twice, lengths that are not written in the shortest way, bytes at the end, more than the
 * bounds above allow, and third-party caveats, which nobody could discharge here. Never throws.
 */
export function macaroonFromText(text: string): Macaroon | null {
  if (!text.startsWith(prefix) || text.length > maxMacaroonLength) return null;
  const bytes = Buffer.from(text.slice(prefix.length), "base64url");
  if (bytes.toString("base64url") !== text.slice(prefix.length)) return null;
  return bytes[0] === version ? readFields(bytes) : null;
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

  take(field.location);
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

/** As a varint: seven bits a byte, the least significant first. Two bytes are enough for all that the bounds let through. */
function lengthOf({ length }: Uint8Array): number[] {
  return length < 0x80 ? [length] : [(length & 0x7f) | 0x80, length >> 7];
}

function readLength(bytes: Uint8Array, position: number): { value: number; size: number } | null {
  const [low = 0x80, high = 0] = bytes.subarray(position, position + 2);
  if (low < 0x80) return { value: low, size: 1 };
  return high > 0 && high < 0x80 ? { value: (low & 0x7f) | (high << 7), size: 2 } : null;
}
