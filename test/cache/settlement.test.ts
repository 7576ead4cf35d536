import { expect, test } from "vitest";
import { createSettlement } from "../../src/cache/settlement.ts";
import type { CacheGeneration } from "../../src/ports/cache-generation.ts";
import { createScheduler } from "../model/scheduler.ts";

const paceMs = 250;
const latencyMs = 5;

/** A store in virtual time, which takes a while to be asked and a while to answer, and the settlements of processes that use it. */
function setup() {
  const scheduler = createScheduler(1);
  const world = { number: 0, changedMs: Number.NEGATIVE_INFINITY, advances: 0, isDown: false };
  const sleep = (delayMs: number) =>
    new Promise<void>((resolve) => {
      scheduler.after(delayMs, () => {
        scheduler.letSettle();
        resolve();
      });
    });
  const ask = async (apply: () => void): Promise<CacheGeneration> => {
    await sleep(latencyMs);
    if (world.isDown) throw new Error("away");
    apply();
    const generation = { number: world.number, cacheId: "redis" };
    await sleep(latencyMs);
    return generation;
  };
  const startProcess = () => {
    let [known, knownMs] = [world.number, Number.NEGATIVE_INFINITY];
    const learn = (generation: CacheGeneration) => {
      if (generation.number > known) [known, knownMs] = [generation.number, scheduler.nowMs()];
      return generation;
    };
    const pause = async () => {
      const delayMs = knownMs + paceMs - scheduler.nowMs();
      if (delayMs > 0) await sleep(delayMs);
    };
    const advance = (from: number) => {
      world.advances += 1;
      return ask(() => {
        if (world.number === from) world.number += 1;
      }).then(learn);
    };
    return createSettlement({ read: () => ask(() => {}).then(learn), advance }, pause);
  };
  /** Starts the work at this moment. */
  const at = (atMs: number, work: () => void) =>
    scheduler.after(atMs - scheduler.nowMs(), () => {
      scheduler.letSettle();
      work();
    });
  return { scheduler, world, startProcess, at };
}

test("changes that cannot be announced share generations, and each has one that began after it", async () => {
  const { scheduler, world, startProcess, at } = setup();
  const processes = [startProcess(), startProcess(), startProcess()];
  const unsafe: number[] = [];
  let settled = 0;
  for (let index = 0; index < 3000; index += 1) {
    at(index, () => {
      // The store has the change now.
      const before = world.number;
      processes[index % 3]?.settle(null).then(() => {
        settled += 1;
        if (world.number === before) unsafe.push(index);
      });
    });
  }
  await scheduler.runUntil(10_000);
  expect([settled, unsafe]).toEqual([3000, []]);
  // A dozen in three seconds, where every process would begin one for each of its changes.
  expect(world.number).toBeLessThanOrEqual(3000 / paceMs + 2);
  expect(world.advances).toBeLessThanOrEqual(3 * (3000 / paceMs + 2));
});

test("a change that is stored while another's generation begins does not share it", async () => {
  const { scheduler, world, startProcess, at } = setup();
  const { settle } = startProcess();
  let numberBefore = -1;
  at(0, () => void settle(null));
  // The first step has happened in the store, and its answer is on the way.
  at(3 * latencyMs + 1, () => {
    numberBefore = world.number;
    void settle(null);
  });
  await scheduler.runUntil(1000);
  expect([numberBefore, world.number]).toEqual([1, 2]);
});

test("if the step fails, all that share it fail, and the debt is paid with one generation", async () => {
  const { scheduler, world, startProcess, at } = setup();
  const { settle, payDebt } = startProcess();
  let failures = 0;
  const fails = () => {
    failures += 1;
  };
  at(0, () => void [settle(null), settle(null)].map((each) => each.catch(fails)));
  // Between the read and the step.
  at(2 * latencyMs + 1, () => {
    world.isDown = true;
  });
  at(100, () => {
    world.isDown = false;
  });
  for (const atMs of [101, 500]) at(atMs, () => void payDebt());
  await scheduler.runUntil(1000);
  expect([failures, world.number]).toEqual([2, 1]);
});
