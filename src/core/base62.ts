const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const base = alphabet.length;
/** 64 bits need 11 digits. */
const uint64Digits = 11;
/** Four times 62. Bytes of this value or more are discarded: they would make the first digits more likely than the others. */
const fairBytes = 4 * base;

/** A number below 2^53 as exactly `length` base62 digits, most significant first. Further digits are cut off at the front. */
export function encodeBase62(value: number, length: number): string {
  let text = "";
  for (let rest = value; text.length < length; rest = Math.floor(rest / base)) text = alphabet.charAt(rest % base) + text;
  return text;
}

/** The first 8 bytes as 11 base62 digits. */
export function encodeBase62Uint64(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  let text = "";
  for (let rest = view.getBigUint64(0); text.length < uint64Digits; rest /= 62n) text = alphabet.charAt(Number(rest % 62n)) + text;
  return text;
}

/** `length` random base62 digits, each equally likely. */
export function randomBase62(length: number, randomBytes: (byteLength: number) => Uint8Array): string {
  let text = "";
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < fairBytes && text.length < length) text += alphabet.charAt(byte % base);
    }
  }
  return text;
}
