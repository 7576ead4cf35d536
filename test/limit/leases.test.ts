import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RateLimitPolicy } from "../../src/core/key.ts";
import type { Taken } from "../../src/core/rate-limit.ts";
import type { Limit, RateLimiter } from "../../src/ports/rate-limiter.ts";
import { policyOf } from "../contract/rate-limiter.ts";
import { until } from "../support/cache-listener.ts";
import { describeOnRedis } from "../support/describe-on-redis.ts";
import { ownRedis, withRedis } from "../support/redis-groups.ts";
import { type LimiterOptions, openRedisLimiter } from "../support/redis-limiter.ts";
import type { RedisServer } from "../support/redis-server.ts";

await describeOnRedis("leases of rate limits", () => {
  const tenHours = 36_000_000;
  const large = policyOf(20_000n, tenHours);
  const cleanups: (() => Promise<unknown>)[] = [];
  let redis: RedisServer;
  beforeEach(async () => {
    redis = await ownRedis();
    cleanups.push(() => redis.stop());
  });
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  const open = async (options?: LimiterOptions) => {
    const opened = await openRedisLimiter(redis.uri, options);
    cleanups.push(() => opened.cache.close());
    return opened;
  };
  const take = (limiter: RateLimiter, policy: RateLimitPolicy = large, cost = 1) => limiter.take("default", "key", policy, cost);
  /** Takes one at a time until one needs no server. Returns how many were taken. */
  const untilLeased = async (takeOne: () => unknown, maxTakes = 2000): Promise<number> => {
    for (let taken = 1; taken <= maxTakes; taken += 1) {
      const answer = takeOne();
      if (!(answer instanceof Promise)) return taken;
      await answer;
      await setImmediate();
    }
    throw new Error(`no lease within ${maxTakes} takes`);
  };

  test("a process that takes often needs no server for most takes, and knows what is left", async () => {
    const { limiter } = await open();
    const taken = await untilLeased(() => take(limiter));
    const answer = take(limiter) as Taken;
    expect(answer).toMatchObject({ admitted: true, remaining: large.quota - BigInt(taken) - 1n, retryAfterMs: 0 });
  });

  test("what is not spent returns, so that another process may take all that is left", async () => {
    const [{ limiter }, { limiter: other }] = [await open(), await open()];
    const taken = await untilLeased(() => take(limiter));
    const left = large.quota - BigInt(taken);
    expect((await take(other, large, 0)).remaining).toBeLessThan(left);
    await until(async () => (await take(other, large, 0)).remaining >= left, "the lease has returned");
    expect(await take(other, large, Number(left))).toMatchObject({ admitted: true });
  });

  test("a process does not spend a lease after its life, however long it was paused", async () => {
    let pausedMs = 0;
    const { limiter } = await open({ monotonicMs: () => performance.now() + pausedMs });
    await untilLeased(() => take(limiter));
    pausedMs += 100;
    expect(take(limiter)).toBeInstanceOf(Promise);
  });

  test("a lease of a server that is lost is not spent", async () => {
    const { limiter, cache } = await open();
    await untilLeased(() => take(limiter));
    await redis.kill("SIGKILL");
    await until(() => cache.cacheId === null, "the process noticed");
    expect(await take(limiter)).toMatchObject({ admitted: false, remaining: 0n });
  });

  test("a lease of an old policy is not spent, and the new policy holds at once", async () => {
    const { limiter } = await open();
    await untilLeased(() => take(limiter));
    const answer = await take(limiter, policyOf(10n, tenHours), 10);
    expect(answer.admitted).toBe(false);
  });

  test("no lease is granted near the end of a quota or for a small one", async () => {
    const { limiter } = await open();
    await take(limiter, large, 19_000);
    await expect(untilLeased(() => take(limiter), 300)).rejects.toThrow("no lease");
    await expect(untilLeased(() => limiter.take("default", "small", policyOf(1000n, tenHours), 1), 300)).rejects.toThrow("no lease");
  });

  test("a flushed server takes nothing back that it does not know", async () => {
    const { limiter } = await open();
    await untilLeased(() => take(limiter));
    await withRedis(redis.port, (client) => client.flushall());
    const { limiter: other } = await open();
    await take(other, large, 500);
    // More than the lease covers, so that the process returns it first.
    await take(limiter, large, 1000);
    expect((await take(other, large, 0)).remaining).toBe(large.quota - 1500n);
  });

  test("a key and its actor both have leases, and what one refuses takes nothing from the other", async () => {
    const { limiter } = await open();
    const key: Limit = { id: "{actor}key", policy: policyOf(40_000n, tenHours) };
    const actor: Limit = { id: "{actor}", policy: large };
    const taken = await untilLeased(() => limiter.takeAll("default", [key, actor], 1));
    const answers = limiter.takeAll("default", [key, actor], 1) as readonly Taken[];
    expect(answers.map(({ remaining }) => remaining)).toEqual([40_000n - BigInt(taken) - 1n, large.quota - BigInt(taken) - 1n]);
    const small: Limit = { id: "{actor}small", policy: policyOf(1n, tenHours) };
    for (const admitted of [true, false, false]) {
      const [own, shared] = await limiter.takeAll("default", [small, actor], 1);
      expect([own?.admitted, shared?.admitted]).toEqual([admitted, true]);
    }
    expect((await limiter.takeAll("default", [actor], 0))[0]?.remaining).toBe(large.quota - BigInt(taken) - 2n);
  });

  test("two processes that take as fast as they can are admitted exactly the quota", async () => {
    const policy = policyOf(6000n, tenHours);
    const limiters = [(await open()).limiter, (await open()).limiter];
    let [admitted, leased] = [0, 0];
    const loops = limiters.map(async (limiter) => {
      for (let refused = 0; refused < 50; ) {
        const answer = take(limiter, policy);
        if (!(answer instanceof Promise)) leased += 1;
        if ((await answer).admitted) admitted += 1;
        else refused += 1;
        await setImmediate();
      }
    });
    await Promise.all(loops);
    expect(admitted).toBeLessThanOrEqual(6000 + 2);
    // A lease that returns late on a busy machine is lost.
    expect(admitted).toBeGreaterThan(5800);
    expect(leased).toBeGreaterThan(4000);
  });
});
