import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CacheEntry, RecordCache } from "../../src/ports/record-cache.ts";
import { keyRecord } from "../support/key-record.ts";

export interface OpenRecordCache {
  /** A new, empty cache with room for all that a test puts into it. */
  readonly cache: RecordCache;
  /** Closes the cache and removes what it kept. */
  dispose(): Promise<void>;
}

const keyId = keyRecord().keyId;

/** What every cache must do: the doc comments of src/ports/record-cache.ts as tests. Adapters may go by the real clock, so times are near it. */
export function describeRecordCache(name: string, open: () => Promise<OpenRecordCache>): void {
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

    let opened: OpenRecordCache;
    let cache: RecordCache;
    let tenant: string;
    beforeAll(async () => {
      opened = await open();
      cache = opened.cache;
    });
    afterAll(() => opened.dispose());
    const useNewTenant = () => {
      tenant = `tenant-${randomUUID()}`;
    };
    const put = async (...entries: readonly CacheEntry[]) => {
      for (const one of entries) await cache.putIfNewer(tenant, keyId, one, nowMs);
    };
    const get = async (atMs = nowMs) => cache.get(tenant, keyId, atMs);

    describe("get", () => {
      test("misses what was never put", async () => {
        useNewTenant();
        expect(await get()).toBeUndefined();
      });

      test("answers the entry with every field of its record", async () => {
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
        await put(entry(3, { record }));
        expect(await get()).toEqual(entry(3, { record }));
      });

      test("answers negative entries, which are no misses", async () => {
        useNewTenant();
        await put(negative());
        expect(await get()).toEqual(negative());
      });

      test("serves an entry until its deadline, not at it and not after it", async () => {
        useNewTenant();
        await put(entry(1));
        expect(await get(deadlineMs - 1)).toEqual(entry(1));
        expect(await get(deadlineMs)).toBeUndefined();
        expect(await get(deadlineMs + 1)).toBeUndefined();
      });

      test("never serves an entry whose deadline was past when it was put", async () => {
        for (const past of [nowMs, nowMs - 1, 0]) {
          useNewTenant();
          await put(entry(1, { deadlineMs: past }));
          expect(await get()).toBeUndefined();
        }
      });
    });

    describe("putIfNewer", () => {
      test("replaces a lower revision", async () => {
        useNewTenant();
        await put(entry(1), entry(2));
        expect(await get()).toEqual(entry(2));
      });

      test("keeps a higher one: a fill that was read before a change never replaces the change", async () => {
        useNewTenant();
        await put(entry(2), entry(1, { deadlineMs: deadlineMs + 1 }));
        expect(await get()).toEqual(entry(2));
      });

      test("keeps the same one, and its deadline", async () => {
        useNewTenant();
        await put(entry(2), entry(2, { deadlineMs: deadlineMs + 1000, record: keyRecord({ revision: 2, name: "another" }) }));
        expect(await get()).toEqual(entry(2));
        expect(await get(deadlineMs)).toBeUndefined();
      });

      test("compares revisions as numbers", async () => {
        useNewTenant();
        await put(entry(9), entry(10));
        expect((await get())?.revision).toBe(10);
        await put(entry(2 ** 40), entry(2 ** 40 - 1));
        expect((await get())?.revision).toBe(2 ** 40);
      });

      test("lets a record replace a negative entry, never the other way round", async () => {
        useNewTenant();
        await put(negative(), entry(1));
        expect(await get()).toEqual(entry(1));
        await put(negative());
        expect(await get()).toEqual(entry(1));
      });

      test("keeps a negative entry and its deadline against another one", async () => {
        useNewTenant();
        await put(negative(), negative({ deadlineMs: deadlineMs + 1000 }));
        expect(await get(deadlineMs)).toBeUndefined();
      });

      test("treats an entry at its deadline as not there: any revision replaces it", async () => {
        const shortMs = nowMs + 20;
        for (const next of [entry(3), entry(5), negative()]) {
          useNewTenant();
          await put(entry(5, { deadlineMs: shortMs }));
          await cache.putIfNewer(tenant, keyId, next, shortMs);
          expect(await get(shortMs)).toEqual(next);
        }
      });

      test("ends an older entry also where the newer one is past its deadline already", async () => {
        useNewTenant();
        await put(entry(1), entry(2, { deadlineMs: nowMs }));
        expect(await get()).toBeUndefined();
      });

      test("of many concurrent entries the highest revision stays", async () => {
        useNewTenant();
        const revisions = Array.from({ length: 50 }, (_, index) => ((index * 7) % 50) + 1);
        await Promise.all(revisions.map((revision) => cache.putIfNewer(tenant, keyId, entry(revision), nowMs)));
        expect(await get()).toEqual(entry(50));
      });
    });

    test("tells keys and tenants apart, also where their names joined are the same", async () => {
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
      for (const [index, [one, id]] of pairs.entries()) await cache.putIfNewer(one, id, entry(index + 1), nowMs);
      for (const [index, [one, id]] of pairs.entries()) {
        expect((await cache.get(one, id, nowMs))?.revision, `${one} ${id}`).toBe(index + 1);
      }
    });

    test("once it is closed, it misses, takes entries without a word, and closes again", async () => {
      const { cache: closed, dispose } = await open();
      await closed.putIfNewer("t", keyId, entry(1), nowMs);
      await closed.close();
      expect(await closed.get("t", keyId, nowMs)).toBeUndefined();
      await closed.putIfNewer("t", keyId, entry(2), nowMs);
      await closed.close();
      expect(await closed.get("t", keyId, nowMs)).toBeUndefined();
      await dispose();
    });
  });
}
