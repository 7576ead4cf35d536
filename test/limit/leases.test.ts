import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import type { RateLimitPolicy } from "../../src/core/key.ts";
import type { Taken } from "../../src/core/rate-limit.ts";
import type { Limit, RateLimiter } from "../../src/ports/rate-limiter.ts";
import { policyOf } from "../contract/rate-limiter.ts";
import { until } from "../support/cache-listener.ts";
import { describeOnRedis } from "../support/describe-on-redis.ts";
import { withRedis } from "../support/redis-groups.ts";
import { type LimiterOptions, openRedisLimiter } from "../support/redis-limiter.ts";
import { redisOfTest } from "../support/suite-redis.ts";

await describeOnRedis("leases of rate limits", () => {
  /** So long that nothing refills during a test. */
  const longMs = 3_600_000_000;
  const large = policyOf(20_000n, longMs);
  const redis = redisOfTest();

  const open = async (options?: LimiterOptions) => {
    const opened = await openRedisLimiter(redis.server.uri, options);
    redis.cleanups.push(() => opened.cache.close());
    return opened;
  };
  const take = (limiter: RateLimiter, policy: RateLimitPolicy = large, cost = 1) => limiter.take("default", "key", policy, cost);
  /** A process that got its lease late counts the way back as owed, which may seem a unit. */
  const expectLeft = (remaining: bigint | undefined, left: bigint) => expect([left - 1n, left]).toContain(remaining);
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
    expect(answer).toMatchObject({ admitted: true, retryAfterMs: 0 });
    expectLeft(answer.remaining, large.quota - BigInt(taken) - 1n);
  });

  test("what is not spent returns, so that another process may take all that is left", async () => {
    const [{ limiter }, { limiter: other }] = [await open(), await open()];
    const taken = await untilLeased(() => take(limiter));
    const left = large.quota - BigInt(taken);
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
    await redis.server.kill("SIGKILL");
    await until(() => cache.cacheId === null, "the process noticed");
    expect(await take(limiter)).toMatchObject({ admitted: false, remaining: 0n });
  });

  test("a lease of an old policy is not spent, and the new policy holds at once", async () => {
    const { limiter } = await open();
    await untilLeased(() => take(limiter));
    const answer = await take(limiter, policyOf(10n, longMs), 10);
    expect(answer.admitted).toBe(false);
  });

  test("processes with leases under policies that alternate get no more than the greater quota together", async () => {
    const [{ limiter }, { limiter: other }] = [await open(), await open()];
    const lower = policyOf(15_000n, longMs);
    let admitted = await untilLeased(() => take(limiter));
    for (let round = 0, wasRefused = false; !wasRefused; round += 1) {
      const [taker, policy] = round % 2 === 0 ? [limiter, large] : [[limiter, other][(round >> 1) % 2] as RateLimiter, lower];
      for (let takes = 0; takes < 20; takes += 1) {
        const taken = await take(taker, policy, 40);
        if (taken.admitted) admitted += 40;
        else wasRefused = policy === large;
      }
    }
    expect(admitted).toBeLessThanOrEqual(20_000);
    expect(admitted).toBeGreaterThan(19_000);
  });

  test("no lease is granted near the end of a quota or for a small one", async () => {
    const { limiter } = await open();
    await take(limiter, large, 19_000);
    await expect(untilLeased(() => take(limiter), 300)).rejects.toThrow("no lease");
    await expect(untilLeased(() => limiter.take("default", "small", policyOf(1000n, longMs), 1), 300)).rejects.toThrow("no lease");
  });

  test("a flushed server takes nothing back that it does not know", async () => {
    const { limiter } = await open();
    await untilLeased(() => take(limiter));
    await withRedis(redis.server.port, (client) => client.flushall());
    const { limiter: other } = await open();
    await take(other, large, 500);
    // More than the lease covers, so that the process returns it first.
    await take(limiter, large, 1000);
    expect((await take(other, large, 0)).remaining).toBe(large.quota - 1500n);
  });

  test("a key and its actor both have leases, and what one refuses takes nothing from the other", async () => {
    const { limiter } = await open();
    const key: Limit = { id: "{actor}key", policy: policyOf(40_000n, longMs) };
    const actor: Limit = { id: "{actor}", policy: large };
    const taken = await untilLeased(() => limiter.takeAll("default", [key, actor], 1));
    const answers = limiter.takeAll("default", [key, actor], 1) as readonly Taken[];
    expectLeft(answers[0]?.remaining, 40_000n - BigInt(taken) - 1n);
    expectLeft(answers[1]?.remaining, large.quota - BigInt(taken) - 1n);
    const small: Limit = { id: "{actor}small", policy: policyOf(1n, longMs) };
    for (const admitted of [true, false, false]) {
      const [own, shared] = await limiter.takeAll("default", [small, actor], 1);
      expect([own?.admitted, shared?.admitted]).toEqual([admitted, true]);
    }
    expect((await limiter.takeAll("default", [actor], 0))[0]?.remaining).toBe(large.quota - BigInt(taken) - 2n);
  });

  test("two processes that take as fast as they can never get more than the quota", async () => {
    const policy = policyOf(6000n, longMs);
    const limiters = [(await open()).limiter, (await open()).limiter];
    const begunMs = performance.now();
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
    expect(admitted).toBeLessThanOrEqual(6000 + Math.ceil((performance.now() - begunMs) * (6000 / longMs)));
    expect(leased).toBeGreaterThan(0);
  });
});
