const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** A number below 2^53 as exactly `length` base62 digits, most significant first; more significant ones are cut off. */
export function encodeBase62(value: number, length: number): string {
  let text = "";
  for (let rest = value; text.length < length; rest = Math.floor(rest / 62)) text = alphabet.charAt(rest % 62) + text;
  return text;
}

/** The first 8 bytes as 11 base62 digits, which is what 64 bits take. */
export function encodeBase62Uint64(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  let text = "";
  for (let rest = view.getBigUint64(0); text.length < 11; rest /= 62n) text = alphabet.charAt(Number(rest % 62n)) + text;
  return text;
}

/** `length` random base62 digits, each equally likely: bytes that would favour the first digits are thrown away. */
export function randomBase62(length: number, randomBytes: (byteLength: number) => Uint8Array): string {
  let text = "";
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < 248 && text.length < length) text += alphabet.charAt(byte % 62);
    }
  }
  return text;
}
