import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { RateLimitPolicy } from "../../src/core/key.ts";
import type { RateLimiter } from "../../src/ports/rate-limiter.ts";
import type { SharedCache } from "../../src/ports/shared-cache.ts";
import { policyOf } from "../contract/rate-limiter.ts";
import { connected, until } from "../support/cache-listener.ts";
import { describeOnRedis } from "../support/describe-on-redis.ts";
import { openRedisLimiter } from "../support/redis-limiter.ts";
import { redisOfTest } from "../support/suite-redis.ts";

await describeOnRedis("rate limits during an outage of Redis", () => {
  interface Process {
    readonly limiter: RateLimiter;
    readonly cache: SharedCache;
  }
  const hourly = policyOf(100n, 3_600_000);
  const redis = redisOfTest();

  const openProcess = async (outage: "open" | "closed"): Promise<Process> => {
    const process = await openRedisLimiter(redis.server.uri, { outage, timeoutMs: 300 });
    redis.cleanups.push(() => process.cache.close());
    return process;
  };
  /** Returns how many of `count` are admitted. */
  const spend = async ({ limiter }: Process, count: number, policy: RateLimitPolicy = hourly): Promise<number> => {
    const answers = await Promise.all(Array.from({ length: count }, () => limiter.take("default", "key", policy, 1)));
    return answers.filter(({ admitted }) => admitted).length;
  };
  const lose = async (signal: "SIGKILL" | "SIGSTOP", processes: readonly Process[]) => {
    await redis.server.kill(signal);
    await until(() => processes.every(({ cache }) => cache.cacheId === null), "all noticed the outage");
  };
  const recover = async (signal: "SIGKILL" | "SIGSTOP", processes: readonly Process[]) => {
    await (signal === "SIGKILL" ? redis.server.restart() : redis.server.kill("SIGCONT"));
    await Promise.all(processes.map(({ cache }) => connected(cache)));
  };

  test.each(["SIGKILL", "SIGSTOP"] as const)(
    "open: each process continues on its own from what it knows, and reports to Redis later (%s)",
    async (signal) => {
      const [a, b] = [await openProcess("open"), await openProcess("open")];
      expect(await spend(a, 40)).toBe(40);
      await lose(signal, [a, b]);
      // Without a link nothing is waited for: the answers are there before the event loop goes on.
      const goesOn = new Promise((resolve) => setImmediate(resolve, "it waited"));
      expect(await Promise.race([Promise.all([spend(a, 200), spend(b, 200)]), goesOn])).toEqual([60, 100]);
      await recover(signal, [a, b]);
      expect([await spend(a, 200), await spend(b, 200)]).toEqual([0, 0]);
      // A process that knew nothing learns it from Redis.
      expect(await spend(await openProcess("open"), 200)).toBe(0);
    },
  );

  test("after a short outage each process reports to Redis what it spent on its own", async () => {
    const [a, b] = [await openProcess("open"), await openProcess("open")];
    expect([await spend(a, 30), await spend(b, 20)]).toEqual([30, 20]);
    await lose("SIGSTOP", [a, b]);
    expect([await spend(a, 10), await spend(b, 10)]).toEqual([10, 10]);
    await recover("SIGSTOP", [a, b]);
    expect((await b.limiter.take("default", "key", hourly, 0)).remaining).toBe(40n);
    expect([await spend(a, 200), await spend(b, 200)]).toEqual([30, 0]);
  });

  test("a Redis that restarts empty learns the debt under each of two policies that alternate", async () => {
    const [a, low] = [await openProcess("open"), { ...hourly, quota: 4n }];
    expect(await spend(a, 100)).toBe(100);
    await a.limiter.take("default", "key", low, 1);
    await lose("SIGKILL", [a]);
    await recover("SIGKILL", [a]);
    expect(await a.limiter.take("default", "key", low, 1)).toMatchObject({ admitted: false });
    expect(await spend(a, 200)).toBe(0);
  });

  test("what a process spent on its own under one policy is reported under another", async () => {
    const [a, b, high] = [await openProcess("open"), await openProcess("open"), { ...hourly, quota: 400n }];
    expect([await spend(a, 1, high), await spend(a, 49)]).toEqual([1, 49]);
    await lose("SIGSTOP", [a, b]);
    expect(await spend(a, 10, high)).toBe(10);
    await recover("SIGSTOP", [a, b]);
    expect(await spend(a, 200)).toBe(40);
    expect((await b.limiter.take("default", "key", high, 0)).remaining).toBe(300n);
  });

  test.each(["SIGKILL", "SIGSTOP"] as const)("closed: nothing is admitted meanwhile, and nothing is forgotten (%s)", async (signal) => {
    const [a, b] = [await openProcess("closed"), await openProcess("closed")];
    expect([await spend(a, 40), await spend(b, 10)]).toEqual([40, 10]);
    await lose(signal, [a, b]);
    expect([await spend(a, 200), await spend(b, 200)]).toEqual([0, 0]);
    expect(await a.limiter.take("default", "key", hourly, 1)).toMatchObject({ admitted: false, remaining: 0n, retryAfterMs: 1000 });
    // More than the whole quota is never admitted.
    expect(await a.limiter.take("default", "key", hourly, 1000)).toMatchObject({ admitted: false, retryAfterMs: null });
    expect(await a.limiter.take("default", "key", hourly, 0)).toMatchObject({ admitted: true });
    await recover(signal, [a, b]);
    // The last one to reach Redis knows everything.
    expect(await spend(b, 200)).toBe(50);
    expect(await spend(a, 200)).toBe(0);
  });

  test("while Redis comes and goes, no process admits more than quota + t x quota / window over any span t", async () => {
    const policy = policyOf(60n, 3000);
    const processes = await Promise.all(Array.from({ length: 3 }, () => openProcess("open")));
    const admitted: Admission[][] = processes.map(() => []);
    let running = true;
    const loops = processes.flatMap(({ limiter }, index) =>
      Array.from({ length: 4 }, async () => {
        while (running) {
          const begunMs = performance.now();
          const taken = await limiter.take("default", "key", policy, 1);
          if (taken.admitted) admitted[index]?.push({ begunMs, endedMs: performance.now() });
          // Leaves time for the others: without a link nothing is waited for.
          await sleep(1);
        }
      }),
    );
    const eachAdmits = async (count: number, when: string) => {
      const before = admitted.map(({ length }) => length);
      await until(() => admitted.every(({ length }, index) => length >= (before[index] as number) + count), `admitted ${when}`);
    };
    for (const signal of ["SIGKILL", "SIGSTOP", "SIGKILL"] as const) {
      await eachAdmits(1, "by Redis");
      await lose(signal, processes);
      await eachAdmits(6, "without Redis");
      await recover(signal, processes);
    }
    running = false;
    await Promise.all(loops);

    for (const admissions of admitted) {
      for (const { begunMs } of admissions) {
        const since = admissions.filter((other) => other.begunMs >= begunMs).toSorted((a, b) => a.endedMs - b.endedMs);
        for (const [before, { endedMs }] of since.entries()) {
          expect(before + 1).toBeLessThanOrEqual(60 + ((endedMs - begunMs) * 60) / 3000);
        }
      }
    }
  });
});

/** The take was decided between these moments. */
interface Admission {
  readonly begunMs: number;
  readonly endedMs: number;
}
