import { expect, test } from "vitest";
import { createMemoryRecordCache } from "../../src/adapters/memory/record-cache.ts";
import { type Change, createChangeAnnouncer } from "../../src/cache/announce.ts";
import { createCacheTrust } from "../../src/cache/trust.ts";
import type { CacheGeneration } from "../../src/ports/cache-generation.ts";
import type { SharedCache } from "../../src/ports/shared-cache.ts";
import { createScheduler } from "../model/scheduler.ts";
import { keyRecord } from "../support/key-record.ts";

const tenant = "default";
const latencyMs = 5;
const startMs = 1000;

/** One process in virtual time, with a store and a shared cache that answer after some milliseconds. */
function setup() {
  const scheduler = createScheduler(1);
  const world = { generation: 0, isCacheDown: false, revision: 1, isDeleted: false };
  const after = (delayMs: number, work: () => void) =>
    scheduler.after(delayMs, () => {
      scheduler.letSettle();
      work();
    });
  const sleep = (delayMs: number) => new Promise<void>((resolve) => after(delayMs, resolve));
  const ask = async (apply = () => {}): Promise<CacheGeneration> => {
    await sleep(latencyMs);
    apply();
    return { number: world.generation, cacheId: "redis" };
  };
  /** What was announced: generation, key id, revision. */
  const announced: string[] = [];
  const shared = {
    cacheId: "redis",
    beat() {},
    async announce(
      generation: number,
      _tenant: string,
      changes: readonly (readonly [string, { readonly revision: number; readonly record: object | null }])[],
    ) {
      await sleep(1);
      if (world.isCacheDown) return null;
      for (const [keyId, { revision, record }] of changes)
        announced.push(`${generation} ${keyId}/${revision}${record === null ? " deleted" : ""}`);
      return "redis";
    },
  } as unknown as SharedCache;
  /** The keys whose flights were superseded, and how many announcements there were by then. */
  const superseded: string[] = [];
  const local = createMemoryRecordCache({ maxEntries: 10 });
  const trust = createCacheTrust({
    generations: {
      read: () => ask(),
      advance: (from) =>
        ask(() => {
          if (world.generation === from) world.generation += 1;
        }),
    },
    shared,
    monotonicMs: scheduler.nowMs,
    leaseMs: 1000,
    graceMs: 0,
    identityPatienceMs: 500,
    generationPaceMs: 250,
    schedule: after,
    reset: () => local.clear(),
    createBeatId: () => "beat",
  });
  const { beginChanges } = createChangeAnnouncer({
    store: {
      async getMany(_tenant, keyIds) {
        await sleep(latencyMs);
        return keyIds.map((keyId) => (world.isDeleted ? null : keyRecord({ keyId, revision: world.revision })));
      },
    },
    ...{ local, shared, trust, clock: scheduler.nowMs },
    flights: { supersede: (_tenant, keyId) => void superseded.push(`${keyId} after ${announced.length}`) },
    lives: { cacheTtlMs: 60_000, negativeCacheTtlMs: 1000 },
  });
  after(0, () => void trust.tick());
  const changeTo = (revision: number): Change => ({ keyId: "K", record: keyRecord({ keyId: "K", revision }), revision });
  /** Changes the key in the store, which takes this long, and announces that. */
  const change = async (storeMs: number, made: Change = changeTo(world.revision)) => {
    const announce = beginChanges(tenant);
    await sleep(storeMs);
    await announce([made]);
  };
  /** Does the work this long after the start. */
  const at = (atMs: number, work: () => void) => after(startMs + atMs - scheduler.nowMs(), work);
  const beginGeneration = () => void trust.settle(null);
  return { scheduler, world, announced, local, superseded, at, change, changeTo, beginGeneration };
}

test("a generation that begins while changes are in progress does not make another one necessary", async () => {
  const { scheduler, world, at, change } = setup();
  let settled = 0;
  // Ten changes are in progress at any time.
  for (let index = 0; index < 400; index += 1) at(index * 10, () => void change(100).then(() => (settled += 1)));
  at(1000, () => {
    world.isCacheDown = true;
  });
  at(1005, () => {
    world.isCacheDown = false;
  });
  await scheduler.runUntil(startMs + 10_000);
  expect(settled).toBe(400);
  // One for the change that the cache did not accept.
  expect(world.generation).toBe(1);
});

test("a change is announced again as the store has it by then, and again if another generation began", async () => {
  const { scheduler, world, announced, at, change, changeTo, beginGeneration } = setup();
  let settledMs = 0;
  at(0, () => void change(400, changeTo(2)).then(() => (settledMs = scheduler.nowMs() - startMs)));
  at(10, beginGeneration);
  at(399, () => {
    world.revision = 7;
  });
  // Begins a generation between the read of the store and the last look at the generation.
  at(398, beginGeneration);
  await scheduler.runUntil(startMs + 5000);
  expect(announced).toEqual(["0 K/2", "1 K/7", "2 K/7"]);
  expect(world.generation).toBe(2);
  expect(settledMs).toBeLessThan(500);
});

test("the process that announces a change again keeps no older record that it read from the shared cache meanwhile", async () => {
  const { scheduler, world, announced, local, superseded, at, change, changeTo, beginGeneration } = setup();
  const recordHere = () => local.get(tenant, "K", scheduler.nowMs())?.revision;
  let afterwards: number | undefined = 0;
  at(0, () => void change(400, changeTo(2)).then(() => (afterwards = recordHere())));
  at(10, beginGeneration);
  at(399, () => {
    world.revision = 2;
  });
  // After the first announcement, which was under the old generation: under the new one the shared cache has the old record.
  at(403, () => {
    expect([announced.length, superseded]).toEqual([1, ["K after 1"]]);
    const record = keyRecord({ keyId: "K", revision: 1 });
    local.putIfNewer(tenant, "K", { record, revision: 1, deadlineMs: Number.POSITIVE_INFINITY }, scheduler.nowMs());
    expect(recordHere()).toBe(1);
  });
  await scheduler.runUntil(startMs + 5000);
  expect(afterwards).toBeUndefined();
  expect(superseded).toEqual(["K after 1", "K after 2"]);
});

test("a key that was deleted after its change is announced as deleted, above the revision of the change", async () => {
  const { scheduler, world, announced, at, change, changeTo, beginGeneration } = setup();
  at(0, () => void change(400, changeTo(2)));
  at(10, beginGeneration);
  world.isDeleted = true;
  await scheduler.runUntil(startMs + 5000);
  expect(announced).toEqual(["0 K/2", "1 K/3 deleted"]);
});

test("a change that the store does not have yet needs a generation", async () => {
  const { scheduler, world, announced, at, change, changeTo, beginGeneration } = setup();
  at(0, () => void change(400, changeTo(2)));
  at(10, beginGeneration);
  world.revision = 1;
  await scheduler.runUntil(startMs + 5000);
  expect([announced, world.generation]).toEqual([["0 K/2"], 2]);
});

test("a change that the cache refused needs a generation, and is not announced again", async () => {
  const { scheduler, world, announced, at, change, changeTo } = setup();
  world.isCacheDown = true;
  at(0, () => void change(1, changeTo(1)));
  at(3, () => {
    world.isCacheDown = false;
  });
  await scheduler.runUntil(startMs + 5000);
  expect([announced, world.generation]).toEqual([[], 1]);
});
