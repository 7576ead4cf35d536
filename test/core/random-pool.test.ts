import { expect, test } from "vitest";
import { createRandomPool } from "../../src/core/random-pool.ts";

/** Fills with the numbers from 1 on, so that each position of the stream has its own bytes. */
function counting() {
  const pools: Uint8Array[] = [];
  let next = 1;
  const fill = (bytes: Uint8Array) => {
    pools.push(bytes);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    for (let at = 0; at + 4 <= bytes.length; at += 4) view.setUint32(at, next++);
  };
  return { fill, pools };
}

test("returns each part of the generator's bytes once, also across a refill and for more than the pool holds", () => {
  const { fill, pools } = counting();
  const randomBytes = createRandomPool(fill);
  const parts = [16, 32, 4096, 8192, ...Array<number>(1000).fill(16)].map((length) => {
    const bytes = randomBytes(length);
    expect(bytes).toHaveLength(length);
    return bytes;
  });
  const numbers = parts.flatMap((bytes) =>
    Array.from({ length: bytes.length / 4 }, (_, index) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(4 * index)),
  );
  expect(numbers).not.toContain(0);
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(pools.length).toBeLessThan(10);
});

test("keeps no byte that it returned", () => {
  const { fill, pools } = counting();
  const randomBytes = createRandomPool(fill);
  const secret = randomBytes(32);
  expect(secret.some((byte) => byte !== 0)).toBe(true);
  expect(pools[0]?.subarray(0, 32).every((byte) => byte === 0)).toBe(true);
  expect(secret.buffer).not.toBe(pools[0]?.buffer);
});
