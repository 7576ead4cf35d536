import { expect, test } from "vitest";
import { createCurrentStore } from "../../src/cache/current-store.ts";
import { createCacheTrust } from "../../src/cache/trust.ts";
import type { CacheGeneration } from "../../src/ports/cache-generation.ts";
import { keyRecord } from "../support/key-record.ts";

const leaseMs = 1000;

/** A store that always returns its keys, and confirms that it is in force only when the test says so. */
function setup() {
  const world = { nowMs: 0, gets: 0 };
  const questions: PromiseWithResolvers<CacheGeneration>[] = [];
  const read = () => {
    const question = Promise.withResolvers<CacheGeneration>();
    questions.push(question);
    return question.promise;
  };
  const trust = createCacheTrust({
    generations: { read, advance: read },
    shared: null,
    monotonicMs: () => world.nowMs,
    leaseMs,
    graceMs: 0,
    identityPatienceMs: 500,
    generationPaceMs: 250,
    schedule() {
      throw new Error("nothing here pauses");
    },
    reset: () => {},
    createBeatId: () => "beat",
  });
  const record = keyRecord();
  const store = createCurrentStore(
    {
      get: async () => {
        world.gets += 1;
        return record;
      },
      getMany: async () => [record],
    },
    trust,
  );
  const confirm = (index: number) => questions[index]?.resolve({ number: 1, cacheId: "run1" });
  const turn = () => new Promise(setImmediate);
  return { world, questions, trust, store, record, confirm, turn };
}

test("within the lease of an earlier confirmation nothing is asked", async () => {
  const { world, questions, trust, store, record, confirm } = setup();
  const ticking = trust.tick();
  confirm(0);
  await ticking;
  world.nowMs = leaseMs;
  expect(await store.get("default", record.keyId)).toBe(record);
  expect(await store.getMany("default", [record.keyId])).toEqual([record]);
  expect(questions).toHaveLength(1);
});

test("after the lease, reads wait for one shared confirmation and fail if it fails", async () => {
  const { world, questions, store, record, turn } = setup();
  const reads = Promise.allSettled([store.get("default", record.keyId), store.getMany("default", [record.keyId])]);
  await turn();
  expect([questions.length, world.gets]).toEqual([1, 0]);
  questions[0]?.reject(new Error("no majority"));
  expect((await reads).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(world.gets).toBe(0);
});

test("a confirmation requested more than a lease before the read does not count, whenever it arrives", async () => {
  const { world, questions, store, record, confirm, turn } = setup();
  const early = store.get("default", record.keyId);
  await turn();
  world.nowMs = leaseMs + 1;
  const late = store.get("default", record.keyId);
  confirm(0);
  expect(await early).toBe(record);
  await turn();
  expect([questions.length, world.gets]).toEqual([2, 1]);
  confirm(1);
  expect(await late).toBe(record);
});

test("after three ticks without the store, reads fail at once; after its first answer they work again", async () => {
  const { world, questions, trust, store, record, confirm, turn } = setup();
  const reject = (index: number) => questions[index]?.reject(new Error("no majority"));
  for (const index of [0, 1]) {
    const lost = trust.tick();
    reject(index);
    await lost;
  }
  const patient = store.get("default", record.keyId);
  await turn();
  const lost = trust.tick();
  reject(2);
  reject(3);
  await lost;
  await expect(patient).rejects.toThrow("no majority");
  await expect(store.get("default", record.keyId)).rejects.toThrow("no majority");
  expect([questions.length, world.gets]).toEqual([4, 0]);
  const slow = trust.tick();
  const back = trust.tick();
  confirm(5);
  await back;
  expect(await store.get("default", record.keyId)).toBe(record);
  // A question from before the answer that fails after it no longer matters.
  reject(4);
  await slow;
  world.nowMs = leaseMs + 1;
  const read = store.get("default", record.keyId);
  await turn();
  confirm(6);
  expect(await read).toBe(record);
});
