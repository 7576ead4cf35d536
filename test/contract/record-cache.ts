import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { CacheEntry, RecordCache } from "../../src/ports/record-cache.ts";
import { keyRecord } from "../support/key-record.ts";

const keyId = keyRecord().keyId;

/** The contract of every cache: the doc comments of src/ports/record-cache.ts as tests. `open` makes a cache with room for all entries. */
export function describeRecordCache(name: string, open: () => RecordCache): void {
  describe(`record cache: ${name}`, () => {
    const nowMs = Date.now();
    const deadlineMs = nowMs + 60_000;
    const entry = (revision: number, overrides: Partial<CacheEntry> = {}): CacheEntry => ({
      record: keyRecord({ revision }),
      revision,
      deadlineMs,
      ...overrides,
    });
    const negative = (overrides: Partial<CacheEntry> = {}): CacheEntry => ({ record: null, revision: 0, deadlineMs, ...overrides });

    const cache = open();
    let tenant: string;
    const useNewTenant = () => {
      tenant = `tenant-${randomUUID()}`;
    };
    const put = (...entries: readonly CacheEntry[]) => {
      for (const one of entries) cache.putIfNewer(tenant, keyId, one, nowMs);
    };
    const get = (atMs = nowMs) => cache.get(tenant, keyId, atMs);

    describe("get", () => {
      test("misses an entry that was never put", () => {
        useNewTenant();
        expect(get()).toBeUndefined();
      });

      test("returns the entry with every field of its record", () => {
        useNewTenant();
        const record = keyRecord({
          kind: "imported",
          revision: 3,
          digest: "sha256",
          name: 'Ключ "a" \u0000 👩‍👩‍👧',
          actorId: "ann",
          scopes: ["write", "read"],
          metadata: { nested: [{ a: null }, 1.5, "", {}], "$a.b": true },
          rateLimitPolicy: { quota: 2n ** 63n - 1n, windowMs: 60_000, unit: "requests" },
          allowedCidrs: ["10.0.0.0/8", "2001:db8::/32"],
          visibility: "public",
          createTimeMs: 1,
          updateTimeMs: 2,
          expireTimeMs: 3,
          revocation: { reason: "privilege_withdrawn", description: "gone" },
          lastUsedTimeMs: 4,
        });
        put(entry(3, { record }));
        expect(get()).toEqual(entry(3, { record }));
      });

      test("returns negative entries, which are not misses", () => {
        useNewTenant();
        put(negative());
        expect(get()).toEqual(negative());
      });

      test("serves an entry before its deadline, not at it and not after it", () => {
        useNewTenant();
        put(entry(1));
        expect(get(deadlineMs - 1)).toEqual(entry(1));
        expect(get(deadlineMs)).toBeUndefined();
        expect(get(deadlineMs + 1)).toBeUndefined();
      });

      test("never serves an entry whose deadline had passed when it was put", () => {
        for (const past of [nowMs, nowMs - 1, 0]) {
          useNewTenant();
          put(entry(1, { deadlineMs: past }));
          expect(get()).toBeUndefined();
        }
      });
    });

    describe("putIfNewer", () => {
      test("replaces a lower revision", () => {
        useNewTenant();
        put(entry(1), entry(2));
        expect(get()).toEqual(entry(2));
      });

      test("keeps a higher revision: a fill that was read before a change never replaces the change", () => {
        useNewTenant();
        put(entry(2), entry(1, { deadlineMs: deadlineMs + 1 }));
        expect(get()).toEqual(entry(2));
      });

      test("keeps an equal revision, and its deadline", () => {
        useNewTenant();
        put(entry(2), entry(2, { deadlineMs: deadlineMs + 1000, record: keyRecord({ revision: 2, name: "another" }) }));
        expect(get()).toEqual(entry(2));
        expect(get(deadlineMs)).toBeUndefined();
      });

      test("compares revisions as numbers", () => {
        useNewTenant();
        put(entry(9), entry(10));
        expect(get()?.revision).toBe(10);
        put(entry(2 ** 40), entry(2 ** 40 - 1));
        expect(get()?.revision).toBe(2 ** 40);
      });

      test("lets a record replace a negative entry, never the other way round", () => {
        useNewTenant();
        put(negative(), entry(1));
        expect(get()).toEqual(entry(1));
        put(negative());
        expect(get()).toEqual(entry(1));
      });

      test("keeps a negative entry and its deadline against another one", () => {
        useNewTenant();
        put(negative(), negative({ deadlineMs: deadlineMs + 1000 }));
        expect(get(deadlineMs)).toBeUndefined();
      });

      test("treats an entry at its deadline as absent: any revision replaces it", () => {
        const shortMs = nowMs + 20;
        for (const next of [entry(3), entry(5), negative()]) {
          useNewTenant();
          put(entry(5, { deadlineMs: shortMs }));
          cache.putIfNewer(tenant, keyId, next, shortMs);
          expect(get(shortMs)).toEqual(next);
        }
      });

      test("removes an older entry even if the newer one is past its deadline", () => {
        useNewTenant();
        put(entry(1), entry(2, { deadlineMs: nowMs }));
        expect(get()).toBeUndefined();
      });

      test("of many entries in any order the highest revision stays", () => {
        useNewTenant();
        const revisions = Array.from({ length: 50 }, (_, index) => ((index * 7) % 50) + 1);
        for (const revision of revisions) cache.putIfNewer(tenant, keyId, entry(revision), nowMs);
        expect(get()).toEqual(entry(50));
      });
    });

    test("keeps keys and tenants apart, even if their concatenated names are the same", () => {
      useNewTenant();
      const pairs = [
        [tenant, "A"],
        [tenant, "AB"],
        [tenant, "a"],
        [`${tenant}A`, "B"],
        [`${tenant}A`, ""],
        [`${tenant}:A`, "B"],
        [tenant, "A:B"],
        [tenant, ":A:B"],
      ] as const;
      for (const [index, [one, id]] of pairs.entries()) cache.putIfNewer(one, id, entry(index + 1), nowMs);
      for (const [index, [one, id]] of pairs.entries()) {
        expect(cache.get(one, id, nowMs)?.revision, `${one} ${id}`).toBe(index + 1);
      }
    });

    describe("dropOlder", () => {
      test("drops only entries below the revision, including negative ones", () => {
        useNewTenant();
        put(entry(2));
        cache.dropOlder(tenant, keyId, 2);
        expect(get()).toEqual(entry(2));
        cache.dropOlder(`${tenant}x`, keyId, 3);
        expect(get()).toEqual(entry(2));
        cache.dropOlder(tenant, keyId, 3);
        expect(get()).toBeUndefined();
        put(negative());
        cache.dropOlder(tenant, keyId, 1);
        expect(get()).toBeUndefined();
      });
    });

    test("clear drops everything, of every tenant", () => {
      const cleared = open();
      cleared.putIfNewer("t", keyId, entry(1), nowMs);
      cleared.putIfNewer("u", keyId, entry(1), nowMs);
      cleared.clear();
      expect(cleared.get("t", keyId, nowMs)).toBeUndefined();
      expect(cleared.get("u", keyId, nowMs)).toBeUndefined();
    });
  });
}
