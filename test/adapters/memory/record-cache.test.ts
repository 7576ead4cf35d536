import { describe, expect, test } from "vitest";
import { createMemoryRecordCache } from "../../../src/adapters/memory/record-cache.ts";
import { describeRecordCache } from "../../contract/record-cache.ts";
import { keyRecord } from "../../support/key-record.ts";

describeRecordCache("memory", () => createMemoryRecordCache({ maxEntries: 1000 }));

describe("the memory cache", () => {
  const put = (cache: ReturnType<typeof createMemoryRecordCache>, tenant: string, keyId: string) =>
    cache.putIfNewer(tenant, keyId, { record: keyRecord({ keyId }), revision: 1, deadlineMs: 10 }, 0);

  test("holds at most maxEntries of all tenants together and evicts the least recently read", () => {
    const cache = createMemoryRecordCache({ maxEntries: 3 });
    for (const tenant of ["a", "b", "c"]) put(cache, tenant, "K");
    cache.get("a", "K", 0);
    put(cache, "d", "K");
    expect(["a", "b", "c", "d"].filter((tenant) => cache.get(tenant, "K", 0) !== undefined)).toEqual(["a", "c", "d"]);
  });

  test("a refused entry does not count as a use of the existing one", () => {
    const cache = createMemoryRecordCache({ maxEntries: 2 });
    put(cache, "a", "K");
    put(cache, "b", "K");
    put(cache, "a", "K");
    put(cache, "c", "K");
    expect(cache.get("a", "K", 0)).toBeUndefined();
  });
});
