import { expect, test } from "vitest";
import { createMemoryRecordCache } from "../../src/adapters/memory/record-cache.ts";
import { createCurrentStore } from "../../src/cache/current-store.ts";
import type { CacheDirective } from "../../src/cache/reading.ts";
import { createCacheTrust } from "../../src/cache/trust.ts";
import { createVerifierCache } from "../../src/cache/verifier-cache.ts";
import { Failure } from "../../src/error/failure.ts";
import { keyRecord } from "../support/key-record.ts";

const record = keyRecord();
const other = keyRecord({ keyId: "OTHER" });
const tickMs = 250;
const cacheTtlMs = 60_000;

/** A process whose store answers at once, or refuses at once while it is down. Nothing happens unless the test makes it happen. */
async function setup({ graceMs = 60_000 } = {}) {
  const world = { nowMs: 1_000_000, isDown: false };
  const answer = async <T>(value: T): Promise<T> => {
    if (world.isDown) throw new Failure("STORE_UNAVAILABLE");
    return value;
  };
  const local = createMemoryRecordCache({ maxEntries: 10 });
  const generation = () => answer({ number: 1, cacheId: "" });
  const trust = createCacheTrust({
    generations: { read: generation, advance: generation },
    shared: null,
    monotonicMs: () => world.nowMs,
    leaseMs: 1000,
    graceMs,
    identityPatienceMs: 500,
    generationPaceMs: 250,
    schedule() {
      throw new Error("nothing here pauses");
    },
    reset: () => local.clear(),
    createBeatId: () => "beat",
  });
  const { reader, announcer } = createVerifierCache({
    store: createCurrentStore(
      {
        get: (_tenant, keyId) => answer(keyId === record.keyId ? record : null),
        getMany: (_tenant, keyIds) => answer(keyIds.map((keyId) => (keyId === record.keyId ? record : null))),
      },
      trust,
    ),
    local,
    shared: null,
    trust,
    clock: () => world.nowMs,
    monotonicMs: () => world.nowMs,
    cacheTtlMs,
    negativeCacheTtlMs: 1000,
    graceMs,
  });
  const tick = async (count = 1) => {
    for (let index = 0; index < count; index += 1) {
      world.nowMs += tickMs;
      await trust.tick();
    }
  };
  /** Returns "hit", "miss" or why the read was refused; undefined while it waits. */
  const read = (directive: CacheDirective = "none") => {
    const reading = { outcome: undefined as string | undefined, settled: Promise.resolve() };
    reading.settled = Promise.resolve(reader.read("default", record.keyId, directive)).then(
      ({ outcome }) => {
        reading.outcome = outcome;
      },
      (error: Failure) => {
        reading.outcome = error.reason;
      },
    );
    return reading;
  };
  const turn = () => new Promise(setImmediate);
  await tick();
  await read().settled;
  return { world, reader, announcer, tick, read, turn };
}

test("a cached key is served if the process was paused while the store failed", async () => {
  const { world, tick, read, turn } = await setup();
  world.nowMs += 1500;
  world.isDown = true;
  const first = read();
  await turn();
  expect(first.outcome).toBeUndefined();
  await tick(2);
  const second = read();
  await turn();
  expect([first.outcome, second.outcome]).toEqual([undefined, undefined]);
  await tick();
  await Promise.all([first.settled, second.settled]);
  expect([first.outcome, second.outcome]).toEqual(["hit", "hit"]);
});

test("a reader that waits for the look-up of a no-cache caller is served, and that caller is not", async () => {
  const { world, tick, read } = await setup();
  world.nowMs += 1500;
  world.isDown = true;
  const [bypassing, joined] = [read("no-cache"), read()];
  await tick(3);
  await Promise.all([bypassing.settled, joined.settled]);
  expect([bypassing.outcome, joined.outcome]).toEqual(["STORE_UNAVAILABLE", "hit"]);
});

test("it is also served if the store is back before three ticks", async () => {
  const { world, tick, read, turn } = await setup();
  world.nowMs += 1500;
  world.isDown = true;
  const reading = read();
  await turn();
  await tick();
  world.isDown = false;
  await tick();
  await reading.settled;
  expect(reading.outcome).toBe("hit");
});

test("a key whose entry expired as the store failed is served for the grace period", async () => {
  const { world, tick, read, turn } = await setup();
  await tick(cacheTtlMs / tickMs);
  world.isDown = true;
  const reading = read();
  await turn();
  expect(reading.outcome).toBeUndefined();
  // Within the lease of the last answer the entry is too old; once the store is lost it may be served.
  await tick(5);
  await reading.settled;
  const later = read();
  await later.settled;
  expect([reading.outcome, later.outcome]).toEqual(["hit", "hit"]);
});

test.each(["no-cache", "no-store"] as const)("a read with %s is refused at once", async (directive) => {
  const { world, read, turn } = await setup();
  world.nowMs += 1500;
  world.isDown = true;
  const reading = read(directive);
  await turn();
  expect(reading.outcome).toBe("STORE_UNAVAILABLE");
});

test("without a grace period, a read is refused at once", async () => {
  const { world, read, turn } = await setup({ graceMs: 0 });
  world.nowMs += 1500;
  world.isDown = true;
  const reading = read();
  await turn();
  expect(reading.outcome).toBe("STORE_UNAVAILABLE");
});

test("after the grace period nothing is served", async () => {
  const { world, tick, read } = await setup();
  world.nowMs += 60_000;
  world.isDown = true;
  const reading = read();
  await tick(3);
  await reading.settled;
  expect(reading.outcome).toBe("STORE_UNAVAILABLE");
});

test("a key that this process changed in the meantime is not served in its old state", async () => {
  const { world, announcer, tick, read, turn } = await setup();
  world.nowMs += 1500;
  const announce = announcer.beginChange("default", record.keyId);
  world.isDown = true;
  const reading = read();
  await turn();
  await expect(announce({ ...record, revision: 2 }, 2)).rejects.toThrow(Failure);
  await tick(3);
  await reading.settled;
  expect(reading.outcome).toBe("STORE_UNAVAILABLE");
});

test("each of many keys has its own result", async () => {
  const { world, reader, tick } = await setup();
  world.nowMs += 1500;
  world.isDown = true;
  const reading = reader.readMany("default", [other.keyId, record.keyId], "none");
  await tick(3);
  expect(await reading).toEqual([
    { status: "rejected", reason: expect.objectContaining({ reason: "STORE_UNAVAILABLE" }) },
    { status: "fulfilled", value: { record, outcome: "hit" } },
  ]);
});
