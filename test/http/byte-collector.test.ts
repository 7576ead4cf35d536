import fc from "fast-check";
import { expect, test } from "vitest";
import { createByteCollector } from "../../src/http/byte-collector.ts";

const pieces = fc.array(fc.uint8Array({ maxLength: 700 }), { maxLength: 30 });

test("joins pieces, and uses at most twice their size", () => {
  fc.assert(
    fc.property(pieces, fc.nat(2000), (all, more) => {
      const whole = Buffer.concat(all);
      const collector = createByteCollector(whole.length + more);
      for (const piece of all) {
        const capacity = collector.capacityWith(piece.length);
        expect(capacity).toBeLessThanOrEqual(Math.max(256, 2 * (collector.length + piece.length)));
        collector.add(piece);
      }
      expect(collector.length).toBe(whole.length);
      const taken = collector.take();
      expect(taken.equals(whole)).toBe(true);
      expect(collector.length).toBe(0);
    }),
  );
});

test("can be reused after its bytes were taken", () => {
  const collector = createByteCollector(100);
  collector.add(Buffer.from("first"));
  collector.add(Buffer.from(" piece"));
  expect(collector.take().toString()).toBe("first piece");
  collector.add(Buffer.from("x"));
  expect(collector.take().toString()).toBe("x");
  expect(collector.take().length).toBe(0);
});

test("keeps many pieces in one buffer of at most the maximum", () => {
  const collector = createByteCollector(100_000);
  for (let i = 0; i < 100_000; i++) collector.add(Buffer.from([i]));
  expect(collector.take().buffer.byteLength).toBe(100_000);
});

test("does not retain a large read for a small piece of it", () => {
  const collector = createByteCollector(100_000);
  collector.add(Buffer.alloc(65_536).subarray(0, 10));
  expect(collector.take().buffer.byteLength).toBe(10);
});

test("does not copy a body that arrives in one piece", () => {
  const piece = Buffer.from(new Uint8Array(500).buffer);
  const collector = createByteCollector(1000);
  collector.add(piece);
  expect(collector.take().buffer).toBe(piece.buffer);
});
