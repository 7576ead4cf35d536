import { crc32 } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeEntry, encodeEntry } from "../../../src/adapters/redis/encoding.ts";
import type { JsonObject, KeyRecord } from "../../../src/core/key.ts";
import type { CacheEntry } from "../../../src/ports/record-cache.ts";
import { fullRecord } from "../../support/key-record.ts";

const timeMs = fc.integer({ min: 0, max: 2 ** 43 });
const revision = fc.integer({ min: 1, max: 2 ** 48 - 1 });
const text = fc.string({ unit: "binary" });

const record: fc.Arbitrary<KeyRecord> = fc.record({
  kind: fc.constantFrom("issued" as const, "imported" as const),
  keyId: fc.string({ minLength: 1 }),
  revision,
  firstRevision: fc.nat(),
  digest: text,
  name: text,
  actorId: text,
  scopes: fc.array(text),
  // As parsed from JSON, which has no minus zero.
  metadata: fc.option(
    fc.dictionary(text, fc.jsonValue()).map((value) => JSON.parse(JSON.stringify(value)) as JsonObject),
    { nil: null },
  ),
  rateLimitPolicy: fc.option(fc.record({ quota: fc.bigInt({ min: 0n, max: 2n ** 64n }), windowMs: timeMs, unit: text }), { nil: null }),
  allowedCidrs: fc.array(text),
  visibility: fc.constantFrom("secret" as const, "public" as const),
  createTimeMs: timeMs,
  updateTimeMs: timeMs,
  expireTimeMs: fc.option(timeMs, { nil: null }),
  revocation: fc.option(
    fc.record({
      reason: fc.constantFrom("key_compromise", "affiliation_changed", "superseded", "privilege_withdrawn" as const),
      description: text,
    }),
    { nil: null },
  ),
  disabled: fc.boolean(),
  lineageId: text,
  supersededBy: fc.option(text, { nil: null }),
  lastUsedTimeMs: fc.option(timeMs, { nil: null }),
});

const entryOf = (of: KeyRecord | null, at: number, deadlineMs: number): CacheEntry => ({ record: of, revision: at, deadlineMs });
const entry = fc.oneof(
  fc.tuple(record, timeMs).map(([of, deadlineMs]) => entryOf(of, of.revision, deadlineMs)),
  fc.tuple(fc.constantFrom(0, 1, 2 ** 48 - 1), timeMs).map(([at, deadlineMs]) => entryOf(null, at, deadlineMs)),
);
const keyIdOf = (of: CacheEntry) => of.record?.keyId ?? "any";

test("every entry is decoded unchanged", () => {
  fc.assert(
    fc.property(entry, (of) => {
      expect(decodeEntry(encodeEntry(of), keyIdOf(of))).toEqual(of);
    }),
  );
});

test("an entry with any byte changed, removed or added is a miss", () => {
  fc.assert(
    fc.property(entry, fc.nat(), fc.integer({ min: 1, max: 255 }), (of, position, change) => {
      const bytes = encodeEntry(of);
      const changed = Buffer.from(bytes);
      const at = position % bytes.length;
      changed[at] = (changed[at] as number) ^ change;
      expect(decodeEntry(changed, keyIdOf(of))).toBeUndefined();
      expect(decodeEntry(bytes.subarray(0, at), keyIdOf(of))).toBeUndefined();
      expect(decodeEntry(Buffer.concat([bytes, Buffer.of(change)]), keyIdOf(of))).toBeUndefined();
    }),
  );
});

test("an entry of an unknown version is a miss, even if it is intact", () => {
  const bytes = encodeEntry(entryOf(null, 7, 1));
  const seal = () => bytes.writeUInt32BE(crc32(bytes.subarray(17), crc32(bytes.subarray(0, 13))), 13);
  seal();
  expect(decodeEntry(bytes, "any")).toEqual(entryOf(null, 7, 1));
  bytes[0] = (bytes[0] as number) + 1;
  seal();
  expect(decodeEntry(bytes, "any")).toBeUndefined();
});

/** Never change a body here: add the body of the next version. Releases with both versions share a Redis during an upgrade. */
const bodies: Readonly<Record<number, string>> = {
  2: '[1,"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","sha256","a name","an actor",1,1700000000001,1700000000002,4102444800003,1700000000004,["z","a","m:read"],["10.0.0.0/8","2001:db8::/32"],[3,"gone"],["100",60000,"requests"],{"team":"core"},7]',
  3: '[1,"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","sha256","a name","an actor",1,1700000000001,1700000000002,4102444800003,1700000000004,["z","a","m:read"],["10.0.0.0/8","2001:db8::/32"],[3,"gone"],["100",60000,"requests"],{"team":"core"},7,false,"A","B"]',
};

test("each version of the body has one layout", () => {
  const bytes = encodeEntry(entryOf(fullRecord, fullRecord.revision, 1));
  expect(bytes.toString("utf8", 17)).toBe(bodies[bytes[0] as number]);
});

test("an entry of another key is a miss", () => {
  fc.assert(
    fc.property(record, (of) => {
      expect(decodeEntry(encodeEntry(entryOf(of, of.revision, 1)), `${of.keyId}x`)).toBeUndefined();
    }),
  );
});

test("a record of usual size takes little more than its texts", () => {
  const bytes = encodeEntry({
    record: {
      kind: "issued",
      keyId: "01HQZX9VYQKJB8XQZQXQZQXQXQ",
      revision: 1,
      firstRevision: 1,
      digest: "x".repeat(43),
      name: "billing",
      actorId: "user_42",
      scopes: ["read", "write"],
      metadata: null,
      rateLimitPolicy: null,
      allowedCidrs: [],
      visibility: "secret",
      createTimeMs: 1_700_000_000_000,
      updateTimeMs: 1_700_000_000_000,
      expireTimeMs: null,
      revocation: null,
      disabled: false,
      lineageId: "K",
      supersededBy: null,
      lastUsedTimeMs: null,
    },
    revision: 1,
    deadlineMs: 1_700_000_000_000,
  });
  expect(bytes.length).toBeLessThan(220);
});
