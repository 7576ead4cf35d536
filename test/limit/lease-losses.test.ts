import { describe, expect, test } from "vitest";
import type { SharedLedger } from "../../src/ports/ledger.ts";
import type { Limit } from "../../src/ports/rate-limiter.ts";
import { policyOf } from "../contract/rate-limiter.ts";
import type { Scheduler } from "../model/scheduler.ts";
import { describeOnRedis } from "../support/describe-on-redis.ts";
import { redisOfSuite } from "../support/suite-redis.ts";
import { type Bug, createWorld, type Network } from "./lease-world.ts";
import { leftOf } from "./virtual-redis.ts";

/** Units of a limit that are neither left nor were admitted. While nothing is lost or late, leases leave none. */
await describeOnRedis("units that leases lose", () => {
  const redis = redisOfSuite();

  interface Load {
    readonly limitsOf: (scheduler: Scheduler) => readonly Limit[];
    readonly network: Network;
    readonly gapMs: number;
    readonly endMs: number;
  }

  /** One process takes one unit at a time. Returns the share of each quota that is lost, and counts of takes and of leases. */
  const play = async (seed: number, { limitsOf, network, gapMs, endMs }: Load, bug: Bug = {}) => {
    let leases = 0;
    const counted = (ledger: SharedLedger): SharedLedger => ({
      serverId: "server",
      take: ledger.take,
      async lease(tenant, request) {
        const answer = await ledger.lease(tenant, request);
        if (answer?.lease) leases += 1;
        return answer;
      },
    });
    const world = createWorld(redis(), seed, { ledger: (ledger) => counted(bug.ledger?.(ledger) ?? ledger) }, network);
    const { scheduler, admissions } = world;
    const limits = limitsOf(scheduler);
    const process = world.start();
    let takes = 0;
    const step = (): void => {
      if (scheduler.nowMs() >= endMs) return;
      takes += 1;
      void process.take(limits, 1);
      scheduler.letSettle();
      process.after(gapMs * scheduler.between(0.5, 1.5), step);
    };
    process.after(1, step);
    await scheduler.runUntil(endMs + 500);
    let lost: readonly number[] = [];
    process.after(0, () => {
      const atUs = (scheduler.nowMs() + 1e6) * 1000;
      void process.look(limits).then((left) => {
        lost = limits.map((limit, index) => (leftOf(limit, admissions, atUs) - (left[index] as number)) / Number(limit.policy.quota));
      });
      scheduler.letSettle();
    });
    await scheduler.runUntil(endMs + 600);
    await redis().flushall();
    expect(lost).toHaveLength(limits.length);
    return { ...world.counts, lost: Math.max(...lost), takes, leases };
  };

  describe("a take that one limit refuses costs the other nothing", () => {
    const load: Load = {
      // The key runs out while the actor has a lease.
      limitsOf: (scheduler) => [
        { id: "{actor}key", policy: policyOf(scheduler.chance(0.5) ? 500n : 1200n, 60_000) },
        { id: "{actor}", policy: policyOf(6000n, 60_000) },
      ],
      network: { tripMs: (scheduler) => scheduler.between(0.5, 1.5), lossRate: 0 },
      gapMs: 0.4,
      endMs: 1000,
    };
    /** A limit may count as owing 1/512 of its window, and the answer is rounded down. */
    const mostLost = 1 / 512 + 1 / 1000;

    test("in random histories", { timeout: 60_000 }, async () => {
      for (let seed = 1; seed <= 3; seed += 1) {
        const { lost, refused, takes, leases } = await play(seed, load);
        expect(lost, `seed ${seed}`).toBeLessThan(mostLost);
        expect(refused).toBeGreaterThan(takes / 3);
        expect(leases).toBeGreaterThan(0);
      }
    });

    test("a bug is found: what is refused is taken from the limits that do not refuse", { timeout: 60_000 }, async () => {
      const ledger = (right: SharedLedger): SharedLedger => ({
        serverId: "server",
        lease: right.lease,
        async take(tenant, charges) {
          const answers = await right.take(tenant, charges);
          const admitting = charges.filter((_, index) => answers?.[index]?.admitted);
          if (admitting.length > 0 && admitting.length < charges.length) await right.take(tenant, admitting);
          return answers;
        },
      });
      expect((await play(1, load, { ledger })).lost).toBeGreaterThan(mostLost);
    });
  });

  test("at the end of a quota a process may take what its own lease holds, also with a limit that has no lease", async () => {
    const { scheduler, start } = createWorld(redis(), 1, {}, { tripMs: () => 0.5, lossRate: 0 });
    const [own, other] = [start(), start()];
    const actor: Limit = { id: "{actor}", policy: policyOf(20_000n, 36_000_000) };
    const small: Limit = { id: "{actor}small", policy: policyOf(1n, 36_000_000) };
    let takes: Promise<boolean>[] = [];
    for (let atMs = 0; atMs < 100; atMs += 0.4) own.after(atMs, () => void own.take([actor], 1));
    other.after(102, () => {
      takes = [other.look([actor]).then(([left]) => other.take([actor], left as number))];
    });
    other.after(106, () => takes.push(other.take([actor], 1)));
    own.after(108, () => takes.push(own.take([small, actor], 1), own.take([small, actor], 1)));
    for (let atMs = 0; atMs < 120; atMs += 0.1) scheduler.after(atMs, scheduler.letSettle);
    await scheduler.runUntil(120);
    expect(await Promise.all(takes)).toEqual([true, false, true, false]);
    await redis().flushall();
  });

  test("if a round trip is longer than the life of a lease, the process asks for few, and nearly nothing is lost", {
    timeout: 60_000,
  }, async () => {
    const { lost, takes, leases } = await play(1, {
      limitsOf: () => [{ id: "key", policy: policyOf(20_000n, 10_000) }],
      network: { tripMs: () => 12, lossRate: 0 },
      gapMs: 0.4,
      endMs: 1500,
    });
    expect(leases).toBeGreaterThan(1);
    expect(leases).toBeLessThan(8);
    expect(lost * 20_000).toBeLessThan(takes / 40);
  });
});
