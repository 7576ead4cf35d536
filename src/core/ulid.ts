const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** What the ULIDs of a moment begin with; as an id it sorts before them all, and after all of the moments before. */
export function ulidTime(timeMs: number): string {
  let time = "";
  for (let rest = timeMs; time.length < 10; rest = Math.floor(rest / 32)) time = alphabet.charAt(rest % 32) + time;
  return time;
}

/** A ULID: 10 digits of milliseconds since the epoch, 16 of randomness, in Crockford's base32. Sorts by time to the millisecond. */
export function createUlid(nowMs: number, randomBytes: (byteLength: number) => Uint8Array): string {
  let random = "";
  for (const byte of randomBytes(16)) random += alphabet.charAt(byte & 31);
  return ulidTime(nowMs) + random;
}
