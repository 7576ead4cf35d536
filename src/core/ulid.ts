const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** The largest time that 10 digits hold. */
const maxTimeMs = 2 ** 50 - 1;

/**
 * What the ULIDs of a moment begin with; as an id it sorts before them all, and after all of the moments before. Moments that a ULID cannot
 * tell count as the nearest one that it can: a clock before 1970 as 1970.
 */
export function ulidTime(timeMs: number): string {
  let time = "";
  for (let rest = Math.floor(Math.min(Math.max(timeMs, 0), maxTimeMs)) || 0; time.length < 10; rest = Math.floor(rest / 32))
    time = alphabet.charAt(rest % 32) + time;
  return time;
}

/** A ULID: 10 digits of milliseconds since the epoch, 16 of randomness, in Crockford's base32. Sorts by time to the millisecond. */
export function createUlid(nowMs: number, randomBytes: (byteLength: number) => Uint8Array): string {
  let random = "";
  for (const byte of randomBytes(16)) random += alphabet.charAt(byte & 31);
  return ulidTime(nowMs) + random;
}
