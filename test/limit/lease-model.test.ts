import { describe, expect, test } from "vitest";
import type { SharedLedger } from "../../src/ports/ledger.ts";
import type { Limit } from "../../src/ports/rate-limiter.ts";
import { policyOf } from "../contract/rate-limiter.ts";
import type { Scheduler } from "../model/scheduler.ts";
import { describeOnRedis } from "../support/describe-on-redis.ts";
import { redisOfSuite } from "../support/suite-redis.ts";
import { type Bug, createWorld, type Process } from "./lease-world.ts";
import { excessOf, replaced } from "./virtual-redis.ts";

/** More find rarer histories: `KEYWRIGHT_TEST_LEASE_RUNS=1000`. */
const runs = Number(process.env.KEYWRIGHT_TEST_LEASE_RUNS ?? 3);
const maxMutantRuns = 10;

await describeOnRedis("leases in random histories", () => {
  const redis = redisOfSuite();

  /** Returns the units beyond the bound, if there are any, and how often a lease was used. */
  const play = async (seed: number, bug: Bug = {}) => {
    const world = createWorld(redis(), seed, bug);
    const { scheduler } = world;
    const limits = limitsOf(scheduler);
    const processes = Array.from({ length: 1 + Math.floor(scheduler.between(0, 4)) }, () => world.start());
    for (const each of processes) load(each, limits, scheduler);
    for (const each of processes) disturb(each, scheduler);
    await scheduler.runUntil(endMs + 1000);
    await redis().flushall();
    return { ...world.counts, excess: Math.max(...limits.map((limit) => excessOf(limit, world.admissions))) };
  };

  test("no limit admits more than quota + t x quota / window over any span t, and most takes ask no server", {
    timeout: 60_000 + runs * 5000,
  }, async () => {
    const all = [];
    for (let seed = 1; seed <= runs; seed += 1) all.push(await play(seed));
    for (const { excess } of all) expect(excess).toBe(0);
    expect(all.reduce((sum, { leased }) => sum + leased, 0)).toBeGreaterThan(100 * runs);
    expect(all.filter(({ refused }) => refused > 0).length).toBeGreaterThan(runs / 2);
  });

  describe(`a bug is found within ${maxMutantRuns} histories`, () => {
    test.each(Object.entries(bugs))("%s", { timeout: 60_000 }, async (_name, bug) => {
      let excess = 0;
      for (let seed = 1; excess === 0 && seed <= maxMutantRuns; seed += 1) excess = (await play(seed, bug)).excess;
      expect(excess).toBeGreaterThan(0);
    });
  });
});

const bugs: Readonly<Record<string, Bug>> = {
  "a lease is not added to the debt": {
    leaseScript: replaced("us, part = plus(parts, leastUs, part, amountUs, amountPart)", "us = leastUs"),
  },
  "what was spent returns": {
    ledger: (ledger) => ({
      ...from(ledger),
      lease: (tenant, request) => {
        const { back } = request;
        return ledger.lease(tenant, back === null ? request : { ...request, back: { ...back, left: back.lease.amount } });
      },
    }),
  },
};

function from(ledger: SharedLedger): SharedLedger {
  return {
    get serverId() {
      return ledger.serverId;
    },
    take: ledger.take,
    lease: ledger.lease,
  };
}

const endMs = 2000;
/** From here on all processes take as much as they can, so that the bound is reached. */
const rushMs = 1000;

function limitsOf(scheduler: Scheduler): readonly Limit[] {
  const quota = [1500, 100_000, 10_000_000][Math.floor(scheduler.between(0, 3))] as number;
  const windowMs = scheduler.chance(0.5) ? 100_000 : 20_000;
  const own: Limit = { id: "{actor}key", policy: policyOf(BigInt(quota), windowMs) };
  return scheduler.chance(0.5) ? [own] : [own, { id: "{actor}", policy: policyOf(BigInt(2 * quota), 2 * windowMs) }];
}

/** Phases of few and of many takes, then the rush. A refused process waits a little. */
function load(process: Process, limits: readonly Limit[], scheduler: Scheduler): void {
  const quota = Number((limits[0] as Limit).policy.quota);
  let phase = { untilMs: 0, gapMs: 1, maxCost: 1 };
  const step = async (): Promise<void> => {
    const nowMs = scheduler.nowMs();
    if (nowMs >= endMs) return;
    if (nowMs >= phase.untilMs) phase = nextPhase(nowMs, quota, scheduler);
    if (phase.maxCost === 0) return process.after(phase.untilMs - nowMs, () => void step());
    const isAdmitted = await process.take(limits, Math.ceil(scheduler.between(0, phase.maxCost)));
    process.after(isAdmitted ? phase.gapMs * scheduler.between(0.5, 1.5) : scheduler.between(5, 60), () => void step());
    scheduler.letSettle();
  };
  for (let loop = 0; loop < 3; loop += 1) process.after(scheduler.between(0, 20), () => void step());
}

function nextPhase(nowMs: number, quota: number, scheduler: Scheduler): { untilMs: number; gapMs: number; maxCost: number } {
  if (nowMs >= rushMs)
    return { untilMs: nowMs + scheduler.between(10, 100), gapMs: 0.3, maxCost: scheduler.chance(0.5) ? quota / 100 : quota / 1500 };
  const untilMs = Math.min(rushMs, nowMs + scheduler.between(10, 200));
  if (scheduler.chance(0.4)) return { untilMs, gapMs: 1, maxCost: 0 };
  return { untilMs, gapMs: scheduler.between(0.1, 2), maxCost: scheduler.chance(0.5) ? 1 : quota / 1500 };
}

function disturb(process: Process, scheduler: Scheduler): void {
  if (scheduler.chance(0.1)) process.after(scheduler.between(0, endMs), process.die);
  for (let atMs = scheduler.between(0, 1000); atMs < endMs; atMs += scheduler.between(100, 2000)) {
    scheduler.after(atMs, () => process.pause(scheduler.between(5, 300)));
  }
}
