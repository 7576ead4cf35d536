import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CacheEntry } from "../../src/ports/record-cache.ts";
import type { SharedCache } from "../../src/ports/shared-cache.ts";
import { connected, recordingListener, until } from "../support/cache-listener.ts";
import { keyRecord } from "../support/key-record.ts";

export interface OpenSharedCaches {
  /** Opens the cache as another process; all of them share the same servers. */
  open(): Promise<SharedCache>;
  /** Stops the servers. */
  dispose(): Promise<void>;
}

/** The contract of every shared cache: the doc comments of src/ports/shared-cache.ts as tests. */
export function describeSharedCache(name: string, start: () => Promise<OpenSharedCaches>): void {
  describe(`shared cache: ${name}`, () => {
    const generation = 7;
    const keyId = keyRecord().keyId;
    const mine = recordingListener();
    const theirs = recordingListener();
    let servers: OpenSharedCaches;
    let ours: SharedCache;
    let other: SharedCache;
    beforeAll(async () => {
      servers = await start();
      ours = await servers.open();
      ours.subscribe(mine);
      other = await servers.open();
      other.subscribe(theirs);
      await connected(ours);
      await connected(other);
    });
    afterAll(async () => {
      await ours?.close();
      await other?.close();
      await servers?.dispose();
    });

    const newTenant = () => `tenant ${randomUUID()}`;
    const entry = (revision: number, overrides: Partial<CacheEntry> = {}): CacheEntry => ({
      record: keyRecord({ revision }),
      revision,
      deadlineMs: Date.now() + 60_000,
      ...overrides,
    });
    const absent = (revision = 0, overrides: Partial<CacheEntry> = {}) => entry(revision, { record: null, ...overrides });
    const read = async (tenant: string, cache = ours, inGeneration = generation) => {
      const answer = await cache.read(inGeneration, tenant, [keyId]);
      expect(answer).not.toBeNull();
      return answer?.entries[0];
    };
    /** Fills in this order. The next read on the same cache follows the fills. */
    const fill = (tenant: string, ...entries: readonly CacheEntry[]) => {
      for (const one of entries) ours.fill(generation, tenant, keyId, one);
    };

    test("two processes see the same cache id, and every answer contains it", async () => {
      expect(ours.cacheId).toBe(other.cacheId);
      expect((await ours.read(generation, newTenant(), [keyId]))?.cacheId).toBe(ours.cacheId);
      expect(await ours.announce(generation, newTenant(), [[keyId, entry(1)]])).toBe(ours.cacheId);
    });

    test("a subscription begins with a gap", () => {
      expect(mine.heard[0]).toEqual({ kind: "gap" });
      expect(theirs.heard[0]).toEqual({ kind: "gap" });
    });

    describe("read", () => {
      test("misses an entry that was never put, and returns no entries for no keys", async () => {
        expect(await read(newTenant())).toBeUndefined();
        expect((await ours.read(generation, newTenant(), []))?.entries).toEqual([]);
      });

      test("returns every field of a record", async () => {
        const tenant = newTenant();
        const full = entry(3, {
          record: keyRecord({
            kind: "imported",
            revision: 3,
            name: 'Ключ "a" \u0000 👩‍👩‍👧',
            scopes: ["write", "read"],
            metadata: { nested: [{ a: null }, 1.5, "", {}], "$a.b": true },
            rateLimitPolicy: { quota: 2n ** 63n - 1n, windowMs: 60_000, unit: "requests" },
            allowedCidrs: ["10.0.0.0/8", "2001:db8::/32"],
            visibility: "public",
            expireTimeMs: 3,
            revocation: { reason: "privilege_withdrawn", description: "gone" },
            lastUsedTimeMs: 4,
          }),
        });
        fill(tenant, full);
        expect(await read(tenant)).toEqual(full);
        expect(await read(tenant, other)).toEqual(full);
      });

      test("returns a batch in the requested order, with misses and repetitions", async () => {
        const tenant = newTenant();
        const keyIds = Array.from({ length: 200 }, () => randomUUID());
        const entries = keyIds.map((id, index) => (index % 3 === 0 ? undefined : entry(1, { record: keyRecord({ keyId: id }) })));
        for (const [index, one] of entries.entries()) if (one !== undefined) ours.fill(generation, tenant, keyIds[index] as string, one);
        const again = [...keyIds, keyIds[1] as string];
        expect((await ours.read(generation, tenant, again))?.entries).toEqual([...entries, entries[1]]);
      });

      test("concurrent reads each get their own entry", async () => {
        const tenant = newTenant();
        const keyIds = Array.from({ length: 300 }, () => randomUUID());
        for (const id of keyIds) ours.fill(generation, tenant, id, entry(1, { record: keyRecord({ keyId: id }) }));
        const answers = await Promise.all(keyIds.map((id) => ours.read(generation, tenant, [id])));
        expect(answers.map((answer) => answer?.entries[0]?.record?.keyId)).toEqual(keyIds);
      });

      test("keeps generations and tenants apart", async () => {
        const tenant = newTenant();
        fill(tenant, entry(1));
        expect(await read(tenant, ours, generation + 1)).toBeUndefined();
        expect(await read(`${tenant}:${generation}`)).toBeUndefined();
        ours.fill(generation, "a:b", "c", entry(1, { record: keyRecord({ keyId: "c" }) }));
        expect((await ours.read(generation, "a", ["b:c"]))?.entries[0]).toBeUndefined();
      });

      test("returns an entry past its deadline, for the caller to judge", async () => {
        const tenant = newTenant();
        const short = entry(1, { deadlineMs: Date.now() + 20 });
        fill(tenant, short);
        await until(() => Date.now() > short.deadlineMs + 20, "past the deadline");
        expect(await read(tenant)).toEqual(short);
      });
    });

    describe("fill", () => {
      test("the higher revision stays, in either order", async () => {
        for (const revisions of [
          [1, 2],
          [2, 1],
          [255, 256],
          [2 ** 40, 2 ** 32],
        ]) {
          const tenant = newTenant();
          fill(tenant, ...revisions.map((revision) => entry(revision)));
          expect((await read(tenant))?.revision).toBe(Math.max(...revisions));
        }
      });

      test("the same revision replaces only if its deadline is later", async () => {
        const tenant = newTenant();
        const first = entry(1);
        const longer = entry(1, { deadlineMs: first.deadlineMs + 5000 });
        fill(tenant, first, longer, first);
        expect(await read(tenant)).toEqual(longer);
      });

      test("a negative entry replaces no record and no tombstone, and any of them replaces it", async () => {
        const [record, tombstone, negative] = [newTenant(), newTenant(), newTenant()];
        const late = { deadlineMs: Date.now() + 3_600_000 };
        fill(record, entry(1), absent(0, late));
        fill(tombstone, absent(2), absent(0, late));
        fill(negative, absent(0, late), entry(1));
        expect((await read(record))?.record).not.toBeNull();
        expect((await read(tombstone))?.revision).toBe(2);
        expect((await read(negative))?.revision).toBe(1);
      });

      test("an entry past its deadline is not stored", async () => {
        const tenant = newTenant();
        fill(tenant, entry(1, { deadlineMs: Date.now() - 1 }));
        expect(await read(tenant)).toBeUndefined();
      });
    });

    describe("announce", () => {
      test("stores the entry, and announces it to every process", async () => {
        const tenant = newTenant();
        expect(await ours.announce(generation, tenant, [[keyId, entry(4)]])).toBe(ours.cacheId);
        expect((await read(tenant, other))?.revision).toBe(4);
        const heardBy = ({ heard }: typeof mine) => heard.filter((event) => event.kind === "change" && event.tenant === tenant);
        await until(() => [mine, theirs].every((listener) => heardBy(listener).length > 0), "heard by both");
        const change = { kind: "change", tenant, keyId, revision: 4 };
        expect([heardBy(mine), heardBy(theirs)]).toEqual([[change], [change]]);
      });

      test("a tombstone keeps out older reads, and a key imported again replaces it", async () => {
        const tenant = newTenant();
        fill(tenant, entry(4));
        await ours.announce(generation, tenant, [[keyId, absent(5)]]);
        fill(tenant, entry(4, { deadlineMs: Date.now() + 3_600_000 }));
        expect(await read(tenant)).toMatchObject({ record: null, revision: 5 });
        await other.announce(generation, tenant, [[keyId, entry(6)]]);
        expect(await read(tenant)).toMatchObject({ revision: 6 });
      });

      test("publishes an older change, which replaces nothing", async () => {
        const tenant = newTenant();
        await ours.announce(generation, tenant, [[keyId, entry(9)]]);
        await other.announce(generation, tenant, [[keyId, entry(8)]]);
        expect((await read(tenant))?.revision).toBe(9);
        await until(() => mine.heard.some((event) => event.kind === "change" && event.tenant === tenant && event.revision === 8), "heard");
      });

      test("removes older entries for a change past its deadline, and publishes it", async () => {
        const tenant = newTenant();
        fill(tenant, entry(1));
        expect(await ours.announce(generation, tenant, [[keyId, entry(2, { deadlineMs: Date.now() - 1 })]])).not.toBeNull();
        expect(await read(tenant)).toBeUndefined();
        await until(() => theirs.heard.some((event) => event.kind === "change" && event.tenant === tenant), "heard");
      });

      test("stores and publishes 1000 changes at once, except those older than their entries", async () => {
        const tenant = newTenant();
        const keyIds = Array.from({ length: 1000 }, () => randomUUID());
        const metadata = { text: "x".repeat(1000) };
        await other.announce(generation, tenant, [[keyIds[7] as string, absent(9)]]);
        const changes = keyIds.map(
          (id, index) =>
            [id, index % 100 === 0 ? absent(3) : entry(3, { record: keyRecord({ keyId: id, revision: 3, metadata }) })] as const,
        );
        expect(await ours.announce(generation, tenant, changes)).toBe(ours.cacheId);
        const found = await other.read(generation, tenant, keyIds);
        expect(found?.entries.map((each) => each?.revision)).toEqual(keyIds.map((_, index) => (index === 7 ? 9 : 3)));
        const heard = () => theirs.heard.filter((event) => event.kind === "change" && event.tenant === tenant && event.revision === 3);
        await until(() => heard().length === 1000, "all heard");
      });

      test("a process that receives a change finds it in place", async () => {
        const tenant = newTenant();
        const keyIds = Array.from({ length: 50 }, () => randomUUID());
        const third = await servers.open();
        const seen: Promise<number | undefined>[] = [];
        third.subscribe({
          onChange(ofTenant, id) {
            if (ofTenant === tenant) seen.push(third.read(generation, tenant, [id]).then((answer) => answer?.entries[0]?.revision));
          },
          onBeat: () => {},
          onGap: () => {},
        });
        await connected(third);
        for (const id of keyIds) ours.fill(generation, tenant, id, entry(1, { record: keyRecord({ keyId: id }) }));
        await Promise.all(keyIds.map((id) => ours.announce(generation, tenant, [[id, absent(2)]])));
        await until(() => seen.length === keyIds.length, "all changes heard");
        expect(new Set(await Promise.all(seen))).toEqual(new Set([2]));
        await third.close();
      });

      test("after concurrent changes and fills the highest revision stays", async () => {
        const tenant = newTenant();
        const revisions = Array.from({ length: 60 }, (_, index) => ((index * 37) % 60) + 1);
        await Promise.all(
          revisions.map(async (revision, index) => {
            const cache = index % 2 === 0 ? ours : other;
            if (index % 3 === 0) cache.fill(generation, tenant, keyId, entry(revision));
            else await cache.announce(generation, tenant, [[keyId, entry(revision)]]);
          }),
        );
        await until(async () => (await read(tenant))?.revision === 60, "the last one stays");
        expect((await read(tenant, other))?.revision).toBe(60);
      });
    });

    describe("messages", () => {
      test("a heartbeat reaches every process after all changes that were acknowledged before it was sent", async () => {
        const tenant = newTenant();
        for (let round = 1; round <= 30; round += 1) {
          await Promise.all([1, 2, 3].map((number) => ours.announce(generation, tenant, [[`${round}-${number}`, absent(round)]])));
          other.beat(`${tenant} ${round}`);
        }
        const roundsOf = (listener: typeof mine) =>
          listener.heard.flatMap((event) => {
            if (event.kind === "change" && event.tenant === tenant) return [event.revision];
            return event.kind === "beat" && event.beatId.startsWith(tenant) ? [Number(event.beatId.slice(tenant.length + 1)) + 0.5] : [];
          });
        for (const listener of [mine, theirs]) {
          await until(() => roundsOf(listener).at(-1) === 30.5, "the last heartbeat returned");
          // A heartbeat may be later than subsequent changes, but no change is later than a heartbeat that was sent after it.
          let beatsSeen = 0;
          for (const round of roundsOf(listener)) {
            if (Number.isInteger(round)) expect(round).toBeGreaterThan(beatsSeen);
            else beatsSeen = round;
          }
          expect(roundsOf(listener)).toHaveLength(120);
        }
      });

      test("a heartbeat names the server that it came through", async () => {
        const beatId = randomUUID();
        ours.beat(beatId);
        await until(() => theirs.heard.some((event) => event.kind === "beat" && event.beatId === beatId), "the heartbeat returned");
        expect(theirs.heard).toContainEqual({ kind: "beat", beatId, cacheId: ours.cacheId });
      });

      test("nothing was missed", () => {
        expect(mine.heard.filter(({ kind }) => kind === "gap")).toHaveLength(1);
        expect(theirs.heard.filter(({ kind }) => kind === "gap")).toHaveLength(1);
      });
    });

    test("a closed cache returns that the outcome is unknown", async () => {
      const cache = await servers.open();
      await connected(cache);
      await cache.close();
      expect(cache.cacheId).toBeNull();
      expect(await cache.read(generation, newTenant(), [keyId])).toBeNull();
      expect(await cache.announce(generation, newTenant(), [[keyId, entry(1)]])).toBeNull();
      cache.fill(generation, newTenant(), keyId, entry(1));
      cache.beat("late");
    });
  });
}
