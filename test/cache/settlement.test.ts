import { expect, test } from "vitest";
import { createCacheTrust } from "../../src/cache/trust.ts";
import type { CacheGeneration } from "../../src/ports/cache-generation.ts";
import type { SharedCache } from "../../src/ports/shared-cache.ts";
import { createScheduler } from "../model/scheduler.ts";

const paceMs = 250;
const latencyMs = 5;
/** By then every process knows the generation, and none would pause. */
const startMs = 1000;

/** A store in virtual time, which takes a while to be asked and a while to answer, and processes that share it and no cache. */
function setup() {
  const scheduler = createScheduler(1);
  const world = { number: 0, advances: 0, isDown: false, advanceAnswerMs: latencyMs };
  const after = (delayMs: number, work: () => void) =>
    scheduler.after(delayMs, () => {
      scheduler.letSettle();
      work();
    });
  const sleep = (delayMs: number) => new Promise<void>((resolve) => after(delayMs, resolve));
  const ask = async (answerMs: number, apply = () => {}): Promise<CacheGeneration> => {
    await sleep(latencyMs);
    if (world.isDown) throw new Error("away");
    apply();
    const generation = { number: world.number, cacheId: "redis" };
    await sleep(answerMs);
    return generation;
  };
  const advance = (from: number) => {
    world.advances += 1;
    return ask(world.advanceAnswerMs, () => {
      if (world.number === from) world.number += 1;
    });
  };
  const startProcess = () => {
    const trust = createCacheTrust({
      generations: { read: () => ask(latencyMs), advance },
      shared: { cacheId: "redis", beat() {} } as unknown as SharedCache,
      monotonicMs: scheduler.nowMs,
      leaseMs: 1000,
      graceMs: 0,
      identityPatienceMs: 500,
      generationPaceMs: paceMs,
      schedule: after,
      reset() {},
      createBeatId: () => "beat",
    });
    after(0, () => void trust.tick());
    return trust;
  };
  /** Does the work this long after the start. */
  const at = (atMs: number, work: () => void) => after(startMs + atMs - scheduler.nowMs(), work);
  const changes = { settled: 0, unsafe: 0 };
  /** Settles a change that the store has at this moment and that was not announced. */
  const change = async ({ settle }: ReturnType<typeof startProcess>) => {
    const before = world.number;
    await settle(null);
    changes.settled += 1;
    if (world.number === before) changes.unsafe += 1;
  };
  return { scheduler, world, startProcess, at, change, changes };
}

test("changes that cannot be announced share generations, and each has one that began after it", async () => {
  const { scheduler, world, startProcess, at, change, changes } = setup();
  const processes = [startProcess(), startProcess(), startProcess()] as const;
  for (let index = 0; index < 3000; index += 1) at(index, () => void change(processes[(index % 3) as 0 | 1 | 2]));
  await scheduler.runUntil(10_000);
  expect(changes).toEqual({ settled: 3000, unsafe: 0 });
  // A dozen in three seconds, where every process would begin one for each of its changes.
  expect(world.number).toBeLessThanOrEqual(3000 / paceMs + 2);
  expect(world.advances).toBeLessThanOrEqual(3 * (3000 / paceMs + 2));
});

test("a change that is stored while another's generation begins does not share it", async () => {
  const { scheduler, world, startProcess, at, change, changes } = setup();
  const process = startProcess();
  world.advanceAnswerMs = 50;
  at(0, () => void change(process));
  // The first step has happened in the store, and its answer is on the way for longer than a read takes.
  at(3 * latencyMs + 1, () => void change(process));
  await scheduler.runUntil(5000);
  expect([changes, world.number]).toEqual([{ settled: 2, unsafe: 0 }, 2]);
});

test("a change does not share a step that waits, if another process has made this step before the change", async () => {
  const { scheduler, world, startProcess, at, change, changes } = setup();
  const [process, other] = [startProcess(), startProcess()];
  at(0, () => {
    process.onGap();
    void change(process);
  });
  at(100, () => void change(other));
  at(150, () => void change(process));
  // Between the steps of both processes.
  at(200, () => expect([changes.settled, world.number]).toEqual([1, 1]));
  await scheduler.runUntil(5000);
  expect([changes, world.number]).toEqual([{ settled: 3, unsafe: 0 }, 2]);
});

test("if the step fails, all that share it fail, and the debt is paid with one generation", async () => {
  const { scheduler, world, startProcess, at } = setup();
  const process = startProcess();
  let failures = 0;
  const fails = () => {
    failures += 1;
  };
  at(0, () => void [process.settle(null), process.settle(null)].map((each) => each.catch(fails)));
  // Between the read and the step.
  at(2 * latencyMs + 1, () => {
    world.isDown = true;
  });
  at(100, () => {
    world.isDown = false;
  });
  for (const atMs of [101, 500]) at(atMs, () => void process.tick());
  await scheduler.runUntil(5000);
  expect([failures, world.number]).toEqual([2, 1]);
});
