import { afterEach, expect, test } from "vitest";
import { describeRateLimiter, policyOf } from "../../contract/rate-limiter.ts";
import { describeOnRedis } from "../../support/describe-on-redis.ts";
import { ownRedis, startRedisCluster, withRedis } from "../../support/redis-groups.ts";
import { openRedisLimiter, redisLimiters } from "../../support/redis-limiter.ts";

await describeOnRedis("rate limits in Redis", () => {
  describeRateLimiter("one Redis server, as an ACL user", async () => {
    const needed = "+info +get +eval +evalsha +set +time +subscribe +ping".split(" ");
    const server = await ownRedis(["--user", "default", "off", "--user", "app", "on", ">hush", "~kw1:*", "&kw1:*", ...needed]);
    return redisLimiters(server.uri.replace("//", "//app:hush@"), () => server.stop());
  });

  describeRateLimiter("a Redis Cluster of three masters", async () => {
    const cluster = await startRedisCluster();
    return redisLimiters(cluster.uri, cluster.stop);
  });

  const cleanups: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
  const hourMs = 3_600_000;

  async function start() {
    const server = await ownRedis();
    cleanups.push(() => server.stop());
    const { limiter, cache } = await openRedisLimiter(server.uri);
    cleanups.push(() => cache.close());
    return { server, limiter };
  }

  test("a debt expires when it ends, and a take that costs nothing stores none", async () => {
    const { server, limiter } = await start();
    await limiter.take("a tenant", "key", policyOf(100n, hourMs), 50);
    await limiter.take("a tenant", "seen", policyOf(100n, hourMs), 0);
    await withRedis(server.port, async (client) => {
      expect(await client.keys("*")).toEqual(["kw1:test:limit:a%20tenant:key"]);
      const leftMs = await client.pttl("kw1:test:limit:a%20tenant:key");
      expect(leftMs).toBeGreaterThan(hourMs / 2 - 5000);
      expect(leftMs).toBeLessThanOrEqual(hourMs / 2 + 1);
    });
  });

  test("a debt as earlier versions wrote it is read, and is kept for as long as it lasts under the policy that it came from", async () => {
    const { server, limiter } = await start();
    await withRedis(server.port, async (client) => {
      const name = "kw1:test:limit:default:key";
      await client.set(name, `${(Date.now() + hourMs) * 1000} 0 100 ${hourMs * 1000}`, "PX", hourMs);
      expect(await limiter.take("default", "key", policyOf(5n, 1000), 1)).toMatchObject({ admitted: false, remaining: 0n });
      expect(await client.pttl(name)).toBeGreaterThan(hourMs - 10_000);
      expect(await limiter.take("default", "key", policyOf(100n, hourMs), 2)).toMatchObject({ admitted: false });
    });
  });

  test("the takes of one turn share a round trip", async () => {
    const { server, limiter } = await start();
    await limiter.take("default", "warm", policyOf(100n, hourMs), 1);
    const calls = async () => Number(/calls=(\d+)/.exec(await withRedis(server.port, (client) => client.info("commandstats")))?.[1]);
    const readsBefore = await withRedis(server.port, (client) => client.info("stats"));
    await Promise.all(Array.from({ length: 100 }, (_, key) => limiter.take("default", `key ${key}`, policyOf(100n, hourMs), 1)));
    const readsAfter = await withRedis(server.port, (client) => client.info("stats"));
    const reads = (stats: string) => Number(/total_reads_processed:(\d+)/.exec(stats)?.[1]);
    expect(reads(readsAfter) - reads(readsBefore)).toBeLessThan(20);
    expect(await calls()).toBeGreaterThan(0);
  });

  test("text that is not a debt counts as no debt, and flushed scripts are sent again", async () => {
    const { server, limiter } = await start();
    await limiter.take("default", "key", policyOf(10n, hourMs), 4);
    await withRedis(server.port, async (client) => {
      await client.set("kw1:test:limit:default:key", "?");
      await client.script("FLUSH");
    });
    const answers = await Promise.all([1, 2, 3].map((cost) => limiter.take("default", "key", policyOf(10n, hourMs), cost)));
    expect(answers.map(({ remaining }) => remaining)).toEqual([9n, 7n, 4n]);
  });
});
