import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import type { JsonObject, KeyRecord, KeyStatus, RevocationReason } from "../../../src/core/key.ts";
import { fullRecord, keyRecord } from "../../support/key-record.ts";
import type { KeyStoreContext } from "../key-store.ts";

const reasons: Readonly<Record<RevocationReason, string>> = {
  key_compromise: "",
  affiliation_changed: "",
  superseded: "",
  privilege_withdrawn: "текст\nwith 'quotes\" and \\",
};

/** Metadata by its special property; as JSON text, because some of it cannot be written as a literal. */
const metadataCases: Record<string, string> = {
  empty: "{}",
  "every type": '{"string": "s", "number": 1.5, "true": true, "false": false, "null": null, "array": [1, "a", null], "object": {"a": 1}}',
  "empty values": '{"": "", "array": [], "object": {}, "nested": [[], [{}]]}',
  "numbers at the edges": '{"zero": 0, "big": 9007199254740991, "beyond": 1e300, "small": 5e-324, "negative": -1.25}',
  unicode: '{"ключ": "значение", "emoji": "👩‍👩‍👧", "zero": "a\\u0000b", "bom": "\\ufeff", "composed": "é", "decomposed": "e\\u0301"}',
  "names with a meaning elsewhere": '{"$set": 1, "a.b": 2, "__proto__": {"x": 1}, "constructor": 3, "_id": 4, "a\\u0000b": 5, "0": 6}',
  "40 levels deep": `${'{"a":['.repeat(20)}1${"]}".repeat(20)}`,
  "4 KiB": JSON.stringify({ text: "x".repeat(4085) }),
};

/** JSON text with sorted names: comparing objects would not notice a changed `__proto__`. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1))
      : member,
  );
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function describeRecords(context: KeyStoreContext): void {
  const roundTrip = async (record: KeyRecord): Promise<KeyRecord | null> => {
    const tenant = context.newTenant();
    await context.store.insert(tenant, record, null);
    const [listed] = await context.store.list(tenant, { kind: record.kind, nowMs: 0, limit: 1 });
    const got = await context.store.get(tenant, record.keyId);
    expect(listed).toEqual(got);
    return got;
  };

  describe("records are returned as given", () => {
    test("the full record differs from the bare one in every field", () => {
      const bare = keyRecord();
      const alike = Object.entries(fullRecord).filter(([name, value]) => isDeepStrictEqual(value, bare[name as keyof KeyRecord]));
      // A revoked key is never disabled.
      expect(alike).toEqual([["disabled", false]]);
    });

    test("after a change, with a different value in every field, so that no two fields are interchanged", async () => {
      const tenant = context.newTenant();
      await context.store.insert(tenant, fullRecord, null);
      const next: KeyRecord = { ...fullRecord, revision: fullRecord.revision + 1 };
      const values = Object.values(next).flatMap((value) => (isObject(value) ? Object.values(value) : [value]));
      expect(new Set(values.map(String)).size).toBe(values.length);

      expect(await context.store.replace(tenant, next)).toBe(true);
      expect(await context.store.get(tenant, next.keyId)).toEqual(next);
      expect(await context.store.getMany(tenant, [next.keyId])).toEqual([next]);
      expect(await context.store.list(tenant, { kind: next.kind, nowMs: 0, limit: 1 })).toEqual([next]);
    });

    test("a disabled key, which is listed as a revoked one", async () => {
      const record = keyRecord({ disabled: true });
      expect(await roundTrip(record)).toEqual(record);
      const tenant = context.newTenant();
      await context.store.insert(tenant, record, null);
      const listed = (status: KeyStatus) => context.store.list(tenant, { kind: "issued", nowMs: 0, limit: 1, status });
      expect([await listed("revoked"), await listed("active"), await listed("expired")]).toEqual([[record], [], []]);
    });

    test("with every field set, and with every field that can be null", async () => {
      expect(await roundTrip(fullRecord)).toEqual(fullRecord);
      const bare = keyRecord({ metadata: null, rateLimitPolicy: null, expireTimeMs: null, revocation: null, lastUsedTimeMs: null });
      expect(await roundTrip(bare)).toEqual(bare);
    });

    test("with empty strings and lists, and zero times", async () => {
      const empty = keyRecord({
        digest: "",
        name: "",
        actorId: "",
        scopes: [],
        allowedCidrs: [],
        metadata: {},
        rateLimitPolicy: { quota: 0n, windowMs: 0, unit: "" },
        expireTimeMs: 0,
        revocation: { reason: "superseded", description: "" },
        lastUsedTimeMs: 0,
      });
      expect(await roundTrip(empty)).toEqual(empty);
    });

    test.each(Object.entries(metadataCases))("metadata: %s", async (_name, json) => {
      const metadata = JSON.parse(json) as JsonObject;
      const got = await roundTrip(keyRecord({ metadata }));
      expect(canonical(got?.metadata)).toBe(canonical(metadata));
    });

    test.each([1n, 2n ** 31n, 2n ** 53n + 1n, 2n ** 63n - 1n])("quota %d", async (quota) => {
      const rateLimitPolicy = { quota, windowMs: 315_360_000_000, unit: "content-bytes" };
      expect((await roundTrip(keyRecord({ rateLimitPolicy })))?.rateLimitPolicy).toEqual(rateLimitPolicy);
    });

    test.each(Object.entries(reasons))("revocation %s", async (name, description) => {
      const revocation = { reason: name as RevocationReason, description };
      expect((await roundTrip(keyRecord({ revocation })))?.revocation).toEqual(revocation);
    });

    test("100 scopes of 256 characters and 100 ranges, in their order", async () => {
      const scopes = Array.from({ length: 100 }, (_, index) => `${99 - index}:`.padEnd(256, "x"));
      const allowedCidrs = Array.from({ length: 100 }, (_, index) => `10.0.${99 - index}.0/24`);
      expect(await roundTrip(keyRecord({ scopes, allowedCidrs }))).toEqual(keyRecord({ scopes, allowedCidrs }));
    });

    test("text of any kind", async () => {
      const text = { name: "Ключ 'a' \"b\" \\ \u0000 👩‍👩‍👧", actorId: "user:ä/ö@example.org" };
      expect(await roundTrip(keyRecord(text))).toEqual(keyRecord(text));
    });
  });

  test("get returns null for an unknown key", async () => {
    const tenant = context.newTenant();
    await context.store.insert(tenant, keyRecord({ keyId: "A" }), null);
    for (const keyId of ["", "a", "A ", "A\0", "AA", "%", "$ne", "B"]) expect(await context.store.get(tenant, keyId), keyId).toBeNull();
  });

  describe("getMany", () => {
    test("returns records in the order of the ids, null for unknown ones, and repeats repeated ones", async () => {
      const tenant = context.newTenant();
      const records = ["A", "B", "C"].map((keyId) => keyRecord({ keyId, name: `name of ${keyId}` }));
      for (const record of records) await context.store.insert(tenant, record, null);
      const [a, b, c] = records;
      expect(await context.store.getMany(tenant, ["C", "x", "A", "B", "A"])).toEqual([c, null, a, b, a]);
    });

    test("returns nothing for no ids, and nothing of another tenant", async () => {
      const tenant = context.newTenant();
      await context.store.insert(tenant, keyRecord({ keyId: "A" }), null);
      expect(await context.store.getMany(tenant, [])).toEqual([]);
      expect(await context.store.getMany(context.newTenant(), ["A"])).toEqual([null]);
    });

    test("accepts 1000 ids", async () => {
      const tenant = context.newTenant();
      const keyIds = Array.from({ length: 1000 }, (_, index) => `K${index}`);
      await context.store.insertMany(
        tenant,
        keyIds.filter((_, index) => index % 2 === 0).map((keyId) => ({ record: keyRecord({ keyId }), request: null })),
      );
      const found = await context.store.getMany(tenant, keyIds);
      expect(found.map((record) => record?.keyId ?? null)).toEqual(keyIds.map((keyId, index) => (index % 2 === 0 ? keyId : null)));
    });
  });
}
