import { describe, expect, test } from "vitest";
import { createMemoryRecordCache } from "../../../src/adapters/memory/record-cache.ts";
import { describeRecordCache } from "../../contract/record-cache.ts";
import { keyRecord } from "../../support/key-record.ts";

describeRecordCache("memory", async () => {
  const cache = createMemoryRecordCache({ maxEntries: 1000 });
  return { cache, dispose: () => cache.close() };
});

describe("the memory cache", () => {
  const put = (cache: ReturnType<typeof createMemoryRecordCache>, tenant: string, keyId: string) =>
    cache.putIfNewer(tenant, keyId, { record: keyRecord({ keyId }), revision: 1, deadlineMs: 10 }, 0);

  test("holds at most maxEntries of all tenants together; the least recently got go first", async () => {
    const cache = createMemoryRecordCache({ maxEntries: 3 });
    for (const tenant of ["a", "b", "c"]) await put(cache, tenant, "K");
    await cache.get("a", "K", 0);
    await put(cache, "d", "K");
    expect(["a", "b", "c", "d"].filter((tenant) => cache.get(tenant, "K", 0) !== undefined)).toEqual(["a", "c", "d"]);
  });

  test("answers without a promise, for the hot path", async () => {
    const cache = createMemoryRecordCache({ maxEntries: 1 });
    await put(cache, "a", "K");
    expect(cache.get("a", "K", 0)).toMatchObject({ revision: 1 });
  });

  test("a refused entry does not count as a use of the one that stays", async () => {
    const cache = createMemoryRecordCache({ maxEntries: 2 });
    await put(cache, "a", "K");
    await put(cache, "b", "K");
    await put(cache, "a", "K");
    await put(cache, "c", "K");
    expect(cache.get("a", "K", 0)).toBeUndefined();
  });
});
