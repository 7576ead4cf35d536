const poolBytes = 4096;

/**
 * Returns a function that returns random bytes. They are taken from a pool, because a call of the platform's generator costs more than the
 * bytes (bench/micro.ts). Each byte is returned once, and erased from the pool.
 */
export function createRandomPool(fill: (bytes: Uint8Array) => void): (byteLength: number) => Uint8Array {
  const pool = new Uint8Array(poolBytes);
  let used = poolBytes;
  return (byteLength) => {
    if (byteLength > poolBytes) {
      const bytes = new Uint8Array(byteLength);
      fill(bytes);
      return bytes;
    }
    if (used + byteLength > poolBytes) {
      fill(pool);
      used = 0;
    }
    const bytes = pool.slice(used, used + byteLength);
    pool.fill(0, used, used + byteLength);
    used += byteLength;
    return bytes;
  };
}
