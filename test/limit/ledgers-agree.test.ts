import { inspect, isDeepStrictEqual } from "node:util";
import type { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { createMemoryLedger } from "../../src/adapters/memory/ledger.ts";
import type { RateLimitPolicy } from "../../src/core/key.ts";
import { noDebt, priceOf, rateOf, type Taken, takenOf } from "../../src/core/rate-limit.ts";
import type { SharedCharge, SharedDebt, SharedLedger } from "../../src/ports/ledger.ts";
import type { Limit } from "../../src/ports/rate-limiter.ts";
import { policyOf } from "../contract/rate-limiter.ts";
import { createScheduler } from "../model/scheduler.ts";
import { describeOnRedis } from "../support/describe-on-redis.ts";
import { redisOfSuite } from "../support/suite-redis.ts";
import { type ChangeScript, replaced, virtualLedger, virtualRedis } from "./virtual-redis.ts";

/** More find rarer differences. */
const runs = Number(process.env.KEYWRIGHT_TEST_LEDGER_RUNS ?? 40);
const maxMutantRuns = 100;
const takes = 60;
const windowsMs = [1000, 1001, 20_000, 3_600_000];
const quotas = [1n, 3n, 7n, 100n, 1700n, 100_003n, 2n ** 52n - 1n, 2n ** 52n, 2n ** 53n + 1n, 2n ** 63n - 1n];
/** In one slot of a cluster. */
const names = ["{actor}:key", "{actor}:limit"];

await describeOnRedis("the ledger in memory and the script of Redis", () => {
  const redis = redisOfSuite();

  test("give the same answers to the same takes at the same times", async () => {
    for (let seed = 1; seed <= runs; seed += 1) expect(await differenceOf(redis(), seed), `seed ${seed}`).toBeNull();
  });

  describe(`a difference is found within ${maxMutantRuns} histories`, () => {
    test.each([
      ["a take under one rate is not charged under the others", "    charge(others, moreUs, morePart, quota, window)\n", ""],
      ["a rate that returns is converted anew", "if own then return others, own[1], own[2] end", ""],
      ["the debt with the most units is forgotten", "units(other) < units(others[least])", "units(other) > units(others[least])"],
      ["a refused take is charged", "if taken then\n    changed", "if true then\n    changed"],
      ["a cost that fills the window exactly is refused", "sumUs < window or (sumUs == window and sumPart == 0)", "sumUs < window"],
      ["a part is lost in a conversion", "math.ceil((exact - whole) * parts)", "math.floor((exact - whole) * parts)"],
    ])("%s", async (_bug, from, to) => {
      let found: string | null = null;
      for (let seed = 1; seed <= maxMutantRuns && found === null; seed += 1) found = await differenceOf(redis(), seed, replaced(from, to));
      expect(found).not.toBeNull();
    });
  });
});

/** Plays random takes of one or two limits whose policies change, and returns the first one that the ledgers answer differently. */
async function differenceOf(redis: Redis, seed: number, change?: ChangeScript): Promise<string | null> {
  await redis.flushall();
  const random = createScheduler(seed);
  const oneOf = <T>(values: readonly T[]) => values[Math.floor(random.between(0, values.length))] as T;
  let nowUs = 1e9;
  const run = virtualRedis(redis, () => nowUs, { kwTake: change });
  const shared = virtualLedger(run, `seed-${seed}`);
  // The half microsecond keeps the time from being rounded down to the one before.
  const local = createMemoryLedger({ maxEntries: 1000, monotonicMs: () => (nowUs + 0.5) / 1000 });
  const policies = Array.from({ length: oneOf([1, 2, 3, 8]) }, () => policyOf(oneOf(quotas), oneOf(windowsMs)));

  const lastPolicies = new Map<string, RateLimitPolicy>();
  const generations = new Map<string, number>();
  /**
   * Whether a ledger still knows policies under which nothing is owed is its own affair, and the ledgers differ in it. So the limit begins
   * anew, under another id, once all its debts have ended, and after a take under another policy that stored nothing.
   */
  const liveId = async (name: string): Promise<string> => {
    const id = `${name}-${generations.get(name) ?? 0}`;
    const stored = (await redis.get(`kw1:seed-${seed}:limit:t:${id}`))?.split(" ") ?? null;
    if (stored === null) return id;
    const ends = stored.filter((_, index) => index === 0 || (index > 4 && index % 4 === 1));
    const isPresent = stored[2] === String(lastPolicies.get(id)?.quota) && Number(stored[3]) / 1000 === lastPolicies.get(id)?.windowMs;
    if (isPresent && ends.some((endUs) => Number(endUs) >= nowUs)) return id;
    generations.set(name, (generations.get(name) ?? 0) + 1);
    return liveId(name);
  };

  for (let take = 0; take < takes; take += 1) {
    const policy = oneOf(policies);
    nowUs += Math.floor(((policy.windowMs * 1000) / oneOf([1e6, 1000, 20, 2])) * random.between(0, 1));
    const cost = Math.floor(random.between(0, 1.2) * Math.min(Number(policy.quota), 2 ** 50) * oneOf([1, 0.1, 0.001])) || oneOf([0, 1]);
    const limits: Limit[] = [];
    for (const name of random.chance(0.3) ? names : [oneOf(names)]) limits.push({ id: await liveId(name), policy: oneOf(policies) });
    const inRedis = await takeShared(shared, limits, cost);
    const [only] = limits;
    const isOne = limits.length === 1 && only !== undefined && random.chance(0.5);
    const inMemory = isOne ? [local.take("t", only.id, only.policy, cost)] : local.takeAll("t", limits, cost);
    if (!isDeepStrictEqual(inRedis, inMemory)) return `take ${take}: ${inspect(inRedis)} in Redis, ${inspect(inMemory)} in memory`;
    for (const limit of limits) lastPolicies.set(limit.id, limit.policy);
  }
  return null;
}

async function takeShared(shared: SharedLedger, limits: readonly Limit[], cost: number): Promise<Taken[]> {
  const charges = limits.map(({ id, policy }) => {
    const rate = rateOf(policy);
    return { id, rate, price: priceOf(rate, cost), report: { more: noDebt, atLeast: noDebt } };
  });
  const answers = (await shared.take("t", charges)) as readonly SharedDebt[];
  return answers.map(({ admitted, owed }, index) => {
    const { rate, price } = charges[index] as SharedCharge;
    return takenOf(rate, price, admitted, owed);
  });
}
