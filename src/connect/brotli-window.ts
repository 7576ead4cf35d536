/** Window sizes whose code in the first byte of a stream has four bits (RFC 7932, section 9.1): 1, then three bits that are not all 0. */
const minWindowBits = 18;

/**
 * Returns the same brotli stream with a window no larger than output of `maxBytes` needs. A decoder fills its window, up to 16 MiB, before
 * it returns the first byte, whatever the bound of the output: a few bytes can cost tens of milliseconds (bench/micro.ts). Output up to
 * `maxBytes` does not change, because the window is larger than that output.
 */
export function capBrotliWindow(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const first = bytes[0] ?? 0;
  const code = (first >> 1) & 0b111;
  if ((first & 1) === 0 || code === 0) return bytes;
  const windowBits = 17 + code;
  let enough = minWindowBits;
  while (2 ** enough - 16 < maxBytes) enough += 1;
  if (enough >= windowBits) return bytes;
  const capped = Uint8Array.from(bytes);
  capped[0] = (first & 0b1111_0000) | ((enough - 17) << 1) | 1;
  return capped;
}
