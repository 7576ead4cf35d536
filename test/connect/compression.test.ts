import { randomBytes } from "node:crypto";
import { brotliCompressSync, brotliDecompressSync, constants, gzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { capBrotliWindow } from "../../src/connect/brotli-window.ts";
import { type Encoding, inflate, maxInflatedBytes } from "../../src/connect/compression.ts";
import { createBodyBudget } from "../../src/http/body-budget.ts";

const mebibyte = 2 ** 20;
/** The best quality takes seconds and makes no other format. */
const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } };
const compress = { gzip: (bytes: Uint8Array) => gzipSync(bytes), br: (bytes: Uint8Array) => brotliCompressSync(bytes, quality) };
const encodings = ["gzip", "br"] as const;

function openLease(maxBytes = 64 * mebibyte) {
  const budget = createBodyBudget({ maxBytes, maxAnonymousBytes: maxBytes, maxInflations: 2 });
  return { budget, lease: budget.open(true) };
}

/** Returns an import of keys as a client writes it, which the bound must allow. */
function importBody(count: number): Buffer {
  const requests = Array.from({ length: count }, (_, index) => ({
    raw_key_sha256: randomBytes(32).toString("hex"),
    name: `customer key ${index}`,
    actor_id: "customers/12345",
    scopes: ["orders:read", "orders:write", "invoices:read"],
    metadata: { team: "billing", environment: "production", contact: "billing@example.com" },
    rate_limit_policy: { quota: "1000", window: "3600s" },
  }));
  return Buffer.from(JSON.stringify({ requests }));
}

test.each(encodings)("inflates one key and an import of 1,000 keys, as clients send them (%s)", async (encoding) => {
  for (const body of [importBody(1), importBody(1000), randomBytes(mebibyte), Buffer.from("a".repeat(10_000))]) {
    const { budget, lease } = openLease();
    const inflated = await inflate(compress[encoding](body), encoding, 16 * mebibyte, lease);
    expect(Buffer.from(inflated).equals(body)).toBe(true);
    lease.release();
    expect(budget.heldBytes()).toBe(0);
  }
});

test.each(encodings)("inflates to at most 16 KiB plus 32 times the size (%s)", async (encoding) => {
  for (const size of [16 * 1024 + 4000, mebibyte, 16 * mebibyte]) {
    const bytes = compress[encoding](Buffer.alloc(size));
    const { lease } = openLease();
    const bound = maxInflatedBytes(bytes.length, 16 * mebibyte, lease);
    expect(bound).toBeLessThanOrEqual(16 * 1024 + 32 * bytes.length);
    const result = inflate(bytes, encoding, 16 * mebibyte, lease);
    if (size <= bound) expect((await result).length).toBe(size);
    else await expect(result).rejects.toMatchObject({ reason: "BODY_TOO_LARGE" });
  }
});

test.each(encodings)("refuses invalid data, and data beyond the budget (%s)", async (encoding) => {
  const bad = Buffer.from("this is not compressed at all");
  await expect(inflate(bad, encoding, mebibyte, openLease().lease)).rejects.toMatchObject({ reason: "MALFORMED_BODY" });
  const { budget, lease } = openLease(100_000);
  const large = compress[encoding](randomBytes(50_000));
  await expect(inflate(large, encoding, mebibyte, lease)).rejects.toMatchObject({ reason: "TOO_MANY_BODIES" });
  lease.release();
  expect(budget.heldBytes()).toBe(0);
});

test("a brotli window no larger than its output does not change the output", () => {
  const text = fc.string({ maxLength: 200 });
  fc.assert(
    fc.property(fc.array(text, { maxLength: 50 }), fc.nat(3000), fc.integer({ min: 10, max: 24 }), (words, repeats, windowBits) => {
      const body = Buffer.from(words.join(" ").repeat(1 + (repeats % 40)));
      const bytes = brotliCompressSync(body, {
        params: { [constants.BROTLI_PARAM_LGWIN]: windowBits, [constants.BROTLI_PARAM_QUALITY]: 9 },
      });
      expect(brotliDecompressSync(capBrotliWindow(bytes, body.length)).equals(body)).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test("a brotli window is as large as the maximum output, and larger output is detected", async () => {
  const far = Buffer.concat([randomBytes(1000), Buffer.alloc(300_000), randomBytes(10)]);
  far.copy(far, 301_010 - 1000, 0, 1000);
  const bytes = brotliCompressSync(far, { params: { [constants.BROTLI_PARAM_LGWIN]: 24 } });
  expect((bytes[0] as number) & 0xf).toBe(0xf);
  expect((capBrotliWindow(bytes, 2 ** 18 - 16)[0] as number) & 0xf).toBe(0x3);
  expect((capBrotliWindow(bytes, 2 ** 18 - 15)[0] as number) & 0xf).toBe(0x5);
  expect(brotliDecompressSync(capBrotliWindow(bytes, far.length)).equals(far)).toBe(true);
  await expect(inflate(bytes, "br" satisfies Encoding, far.length - 1, openLease().lease)).rejects.toMatchObject({
    reason: "BODY_TOO_LARGE",
  });
});
