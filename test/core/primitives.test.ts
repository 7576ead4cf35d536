import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeBase62, encodeBase62Uint64, randomBase62 } from "../../src/core/base62.ts";
import { createBoundedMemory } from "../../src/core/bounded-memory.ts";
import { canonicalJson, checkMetadata } from "../../src/core/metadata.ts";
import { createUlid, ulidTime } from "../../src/core/ulid.ts";

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const decode = (text: string) => [...text].reduce((sum, digit) => sum * 62n + BigInt(digits.indexOf(digit)), 0n);

describe("base62", () => {
  test("encodes numbers reversibly", () => {
    fc.assert(fc.property(fc.nat(0xffffffff), (value) => void expect(decode(encodeBase62(value, 6))).toBe(BigInt(value))));
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
        const bytes = Buffer.alloc(8);
        bytes.writeBigUInt64BE(value);
        const text = encodeBase62Uint64(bytes);
        expect(text).toHaveLength(11);
        expect(decode(text)).toBe(value);
      }),
    );
  });

  test("is random without favouring a digit", () => {
    const counts = new Map<string, number>();
    for (const digit of randomBase62(62_000, randomBytes)) counts.set(digit, (counts.get(digit) ?? 0) + 1);
    expect(counts.size).toBe(62);
    // 1000 each on average, with a standard deviation of 31.
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(250);
  });

  test("discards bytes that would favour the first digits", () => {
    let round = 0;
    const bytes = () => Uint8Array.from(round++ === 0 ? [255, 248, 61] : [0, 1, 62]);
    expect(randomBase62(3, bytes)).toBe("z01");
  });
});

test("ULIDs have 26 characters and sort by time", () => {
  const ids = [1, 31, 32, 1_767_225_600_000, 2 ** 48 - 1].map((timeMs) => createUlid(timeMs, randomBytes));
  for (const id of ids) expect(id).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/);
  expect([...ids].sort()).toEqual(ids);
  expect(ids.at(-1)).toMatch(/^7ZZZZZZZZZ/);
});

describe("metadata", () => {
  test("may have at most 4096 bytes of JSON", () => {
    const ofBytes = (byteLength: number) => ({ a: "x".repeat(byteLength - '{"a":""}'.length) });
    expect(checkMetadata(ofBytes(4096))).toEqual(ofBytes(4096));
    expect(() => checkMetadata(ofBytes(4097))).toThrow(/4096 bytes/);
  });

  test.each([[{ a: Number.NaN }], [{ a: [Number.POSITIVE_INFINITY] }], [{ "\ud800": 1 }], [{ a: { b: ["\udc00"] } }]])(
    "refuses %j",
    (metadata) => {
      expect(() => checkMetadata(metadata)).toThrow(/finite numbers and valid Unicode/);
    },
  );

  test("canonicalJson is equal for equal values only", () => {
    expect(canonicalJson({ b: [{ d: 1, c: 2 }], a: null })).toBe('{"a":null,"b":[{"c":2,"d":1}]}');
    expect(canonicalJson({ a: [1, 2] })).not.toBe(canonicalJson({ a: [2, 1] }));
    // Digests of it are stored, so its text must not change. Names that are indices come first, in the order of numbers.
    const odd = JSON.parse('{"b":{"10":1,"9":2,"a":"\\u2028","__proto__":{"y":1,"x":2}},"B":[[],{"ä":1.5e300,"z":-0}]}');
    expect(canonicalJson(odd)).toBe('{"B":[[],{"z":0,"ä":1.5e+300}],"b":{"9":2,"10":1,"__proto__":{"x":2,"y":1},"a":"\u2028"}}');
  });
});

describe("the bounded memory", () => {
  test.each([10, 11, 19, 20, 21, 1000])("of %i keys remembers at least the last 10, and no more than 20", (count) => {
    const memory = createBoundedMemory<number>(10);
    for (let index = 0; index < count; index += 1) memory.set(`k${index}`, index);
    const remembered = Array.from({ length: count }, (_, index) => count - 1 - index).filter((index) => memory.get(`k${index}`) === index);
    expect(remembered.slice(0, 10)).toEqual(Array.from({ length: 10 }, (_, index) => count - 1 - index));
    expect(remembered.length).toBeLessThanOrEqual(20);
  });

  test("keeps an entry that is used again and again", () => {
    const memory = createBoundedMemory<string>(5);
    memory.set("used", "still here");
    for (let index = 0; index < 100; index += 1) {
      memory.set(`k${index}`, "x");
      expect(memory.get("used")).toBe("still here");
    }
  });
});

test("a ULID can be made at any clock time, and ids sort by it", () => {
  const times = [Number.NEGATIVE_INFINITY, -1, 0, 0.5, 1, Date.UTC(2026, 0, 1), 2 ** 48, 2 ** 53, Number.POSITIVE_INFINITY].map(ulidTime);
  for (const time of [...times, ulidTime(Number.NaN)]) expect(time).toMatch(/^[0-9A-HJKMNP-TV-Z]{10}$/);
  expect(times).toEqual(times.toSorted());
  expect(ulidTime(-365 * 86_400_000)).toBe(ulidTime(0));
});
