/** Crockford's base32. */
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const base = alphabet.length;
const timeDigits = 10;
const randomDigits = 16;

/** The largest time that 10 digits hold. */
const maxTimeMs = 2 ** 50 - 1;

/**
 * The first digits of all ULIDs of a moment. As an id it sorts before all of them, and after the ULIDs of all earlier moments. A time that
 * a ULID cannot hold counts as the nearest one that it can: a clock before 1970 counts as 1970.
 */
export function ulidTime(timeMs: number): string {
  let time = "";
  for (let rest = Math.floor(Math.min(Math.max(timeMs, 0), maxTimeMs)) || 0; time.length < timeDigits; rest = Math.floor(rest / base))
    time = alphabet.charAt(rest % base) + time;
  return time;
}

/** A ULID: 10 digits of milliseconds since the epoch and 16 random digits. ULIDs sort by time, to the millisecond. */
export function createUlid(nowMs: number, randomBytes: (byteLength: number) => Uint8Array): string {
  let random = "";
  for (const byte of randomBytes(randomDigits)) random += alphabet.charAt(byte % base);
  return ulidTime(nowMs) + random;
}

export function isUlid(text: string): boolean {
  return /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(text);
}

/** Returns the time at which a ULID was made. */
export function timeOfUlid(ulid: string): number {
  let timeMs = 0;
  for (const digit of ulid.slice(0, timeDigits)) timeMs = timeMs * base + alphabet.indexOf(digit);
  return timeMs;
}
