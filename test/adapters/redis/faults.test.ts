import { once } from "node:events";
import { createServer, connect as dial, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import type { RedisSharedCacheOptions } from "../../../src/adapters/redis/shared-cache.ts";
import type { CacheEntry } from "../../../src/ports/record-cache.ts";
import { connected, recordingListener, until } from "../../support/cache-listener.ts";
import { describeOnRedis } from "../../support/describe-on-redis.ts";
import { freePorts } from "../../support/free-port.ts";
import { keyRecord } from "../../support/key-record.ts";
import { openRedisSharedCache } from "../../support/redis-cache.ts";
import { ownRedis, withRedis } from "../../support/redis-groups.ts";

await describeOnRedis("faults of Redis", () => {
  const generation = 1;
  const tenant = "default";
  const keyId = keyRecord().keyId;
  const entry = (revision: number): CacheEntry => ({ record: keyRecord({ revision }), revision, deadlineMs: Date.now() + 60_000 });

  const cleanups: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  async function server(...args: string[]) {
    const started = await ownRedis(args);
    cleanups.push(() => started.stop());
    return started;
  }

  async function open(uri: string, options: Partial<RedisSharedCacheOptions> = {}) {
    // A long time-out if time is not what is tested, because the machine may be busy.
    const cache = await openRedisSharedCache({ namespace: "test", uri, timeoutMs: 2000, ...options });
    cleanups.push(() => cache.close());
    const listener = recordingListener();
    cache.subscribe(listener);
    const gaps = () => listener.heard.filter(({ kind }) => kind === "gap").length;
    const read = async () => (await cache.read(generation, tenant, [keyId]))?.entries[0]?.revision;
    return { cache, listener, gaps, read };
  }

  test("opens without a server, and connects when one starts", async () => {
    const [port = 0] = await freePorts(1);
    const { cache, gaps } = await open(`redis://127.0.0.1:${port}`);
    expect(cache.cacheId).toBeNull();
    expect(await cache.read(generation, tenant, [keyId])).toBeNull();
    expect(await cache.announce(generation, tenant, [[keyId, entry(1)]])).toBeNull();
    const late = await ownRedis([], port);
    cleanups.push(() => late.stop());
    await connected(cache);
    expect(gaps()).toBe(1);
  });

  test("a server that hangs is dropped within one time-out, costs nothing from then on, and returns as the same server", async () => {
    const timeoutMs = 100;
    const redis = await server();
    const { cache, gaps, read } = await open(redis.uri, { timeoutMs });
    const cacheId = await connected(cache);
    expect(await cache.announce(generation, tenant, [[keyId, entry(1)]])).toBe(cacheId);

    await redis.kill("SIGSTOP");
    const startedMs = performance.now();
    const answers = await Promise.all([
      cache.read(generation, tenant, [keyId]),
      cache.read(generation, tenant, [keyId, "other"]),
      cache.announce(generation, tenant, [[keyId, entry(2)]]),
    ]);
    const tookMs = performance.now() - startedMs;
    expect(answers).toEqual([null, null, null]);
    expect(cache.cacheId).toBeNull();
    expect(tookMs).toBeGreaterThan(timeoutMs * 0.9);
    expect(tookMs).toBeLessThan(timeoutMs * 3);
    expect(gaps()).toBe(2);

    const calls = 20_000;
    const cheapMs = performance.now();
    for (let call = 0; call < calls; call += 1) await cache.read(generation, tenant, [keyId]);
    const perSecond = (calls / (performance.now() - cheapMs)) * 1000;
    console.info(`away: ${Math.round(perSecond)} reads a second`);
    expect(perSecond).toBeGreaterThan(20_000);
    // Several attempts, on connections that the kernel accepts and nobody answers, so that nothing shows them.
    await sleep(2500);
    expect(cache.cacheId).toBeNull();

    await redis.kill("SIGCONT");
    expect(await connected(cache)).toBe(cacheId);
    expect(gaps()).toBe(3);
    expect(await read()).toBeGreaterThanOrEqual(1);
  });

  test("a server that hangs is noticed without any request", async () => {
    const redis = await server();
    const { cache } = await open(redis.uri, { timeoutMs: 100 });
    await connected(cache);
    await redis.kill("SIGSTOP");
    const startedMs = performance.now();
    await until(() => cache.cacheId === null, "noticed", 5000);
    expect(performance.now() - startedMs).toBeLessThan(1500);
  });

  test("a server that restarts empty is another one, after a gap", async () => {
    const redis = await server();
    const { cache, gaps, read } = await open(redis.uri);
    const before = await connected(cache);
    await cache.announce(generation, tenant, [[keyId, entry(1)]]);
    await redis.kill("SIGKILL");
    await until(() => cache.cacheId === null, "noticed");
    expect(gaps()).toBe(2);
    await redis.restart();
    await connected(cache, before);
    expect(gaps()).toBe(3);
    expect(await read()).toBeUndefined();
  });

  test("a server that restarts from an old snapshot is another one, and nothing is trusted in between", async () => {
    const redis = await server();
    const { cache, listener, read } = await open(redis.uri);
    const before = await connected(cache);
    await cache.announce(generation, tenant, [[keyId, entry(1)]]);
    await withRedis(redis.port, (client) => client.save());
    await cache.announce(generation, tenant, [[keyId, entry(2)]]);

    let running = true;
    const strange: unknown[] = [];
    const reader = (async () => {
      while (running) {
        const answer = await cache.read(generation, tenant, [keyId]);
        if (answer?.cacheId === before && answer.entries[0]?.revision !== 2) strange.push(answer);
        // Lets other work run between two reads.
        await sleep(0);
      }
    })();
    await redis.kill("SIGKILL");
    await redis.restart();
    const after = await connected(cache, before);
    running = false;
    await reader;
    expect(strange).toEqual([]);
    expect(await read()).toBe(1);
    expect(listener.heard.slice(-2)).toEqual([{ kind: "gap" }, { kind: "gap" }]);
    const fresh = await open(redis.uri);
    expect(await connected(fresh.cache)).toBe(after);
  });

  test("a master that becomes a replica is not used, and is another server once it is the master again", async () => {
    const [redis, elsewhere] = [await server(), await server()];
    const { cache, gaps } = await open(redis.uri);
    const before = await connected(cache);
    await withRedis(redis.port, (client) => client.replicaof("127.0.0.1", elsewhere.port));
    const startedMs = performance.now();
    await until(() => cache.cacheId === null, "noticed");
    expect(performance.now() - startedMs).toBeLessThan(1500);
    expect(gaps()).toBe(2);
    // Longer than the interval of attempts to connect: one of them finds a replica.
    await sleep(600);
    expect(cache.cacheId).toBeNull();
    await withRedis(redis.port, (client) => client.replicaof("NO", "ONE"));
    await connected(cache, before);
  });

  test("a server that loads its data is not used", async () => {
    const slow = ["--key-load-delay", "3000", "--loading-process-events-interval-bytes", "1024"];
    const redis = await server(...slow);
    await withRedis(redis.port, async (client) => {
      const pipeline = client.pipeline();
      for (let index = 0; index < 1000; index += 1) pipeline.set(`filler-${index}`, "x".repeat(200));
      await pipeline.exec();
      await client.save();
    });
    await redis.kill("SIGKILL");
    await redis.restart();
    const loading = () => withRedis(redis.port, async (client) => (await client.info("persistence")).includes("loading:1"));
    expect(await loading()).toBe(true);
    const { cache } = await open(redis.uri);
    let looks = 0;
    for (; await loading(); looks += 1) {
      if (cache.cacheId !== null) expect(await loading()).toBe(false);
      await sleep(50);
    }
    expect(looks).toBeGreaterThan(2);
    await connected(cache);
  });

  test("connections that lead to different servers are not used", async () => {
    const both = [await server(), await server()];
    const sockets = new Set<Socket>();
    let count = 0;
    const balancer = createServer((socket) => {
      const upstream = dial((both[count++ % 2] as (typeof both)[0]).port, "127.0.0.1");
      for (const one of [socket, upstream]) {
        sockets.add(one);
        one.on("error", () => {});
        one.on("close", () => {
          socket.destroy();
          upstream.destroy();
        });
      }
      socket.pipe(upstream).pipe(socket);
    }).listen(0, "127.0.0.1");
    await once(balancer, "listening");
    cleanups.push(async () => {
      for (const socket of sockets) socket.destroy();
      balancer.close();
    });
    const { cache, gaps } = await open(`redis://127.0.0.1:${(balancer.address() as { port: number }).port}`);
    await until(() => count >= 4, "two tries", 10_000);
    expect(cache.cacheId).toBeNull();
    expect(gaps()).toBe(0);
  });

  describe("the subscription", () => {
    test("if the server closes it, the whole link is set up again, with a gap before the next message", async () => {
      const redis = await server();
      const { cache, listener, gaps } = await open(redis.uri);
      const cacheId = await connected(cache);
      await withRedis(redis.port, (client) => client.call("CLIENT", "KILL", "TYPE", "pubsub"));
      await until(() => gaps() === 3, "cut and set up again");
      await connected(cache);
      cache.beat("after");
      await until(() => listener.heard.length === 4, "the heartbeat returned");
      expect(listener.heard.at(-1)).toEqual({ kind: "beat", beatId: "after", cacheId });
    });

    test("treats unknown messages as a gap", async () => {
      const redis = await server();
      const { cache, listener, gaps } = await open(redis.uri);
      await connected(cache);
      await withRedis(redis.port, async (client) => {
        for (const message of ["", "z", "c x default a", "c 1 %zz a", "c 1 default "]) await client.publish("kw1:test:changes", message);
      });
      await until(() => gaps() === 6, "five gaps more");
      expect(listener.heard.every(({ kind }) => kind === "gap")).toBe(true);
    });
  });

  describe("entries", () => {
    test("that are damaged or from another release are misses and can be replaced", async () => {
      const redis = await server();
      const { cache, read } = await open(redis.uri);
      await connected(cache);
      await cache.announce(generation, tenant, [[keyId, entry(5)]]);
      const name = `kw1:test:${generation}:${tenant}:${keyId}`;
      await withRedis(redis.port, async (client) => {
        const bytes = (await client.getBuffer(name)) as Buffer;
        bytes[0] = 99;
        await client.set(name, bytes);
      });
      expect(await read()).toBeUndefined();
      // The revision in another release's entry still counts.
      cache.fill(generation, tenant, keyId, entry(4));
      expect(await read()).toBeUndefined();
      cache.fill(generation, tenant, keyId, entry(6));
      expect(await read()).toBe(6);
      await withRedis(redis.port, (client) => client.set(name, "?"));
      expect(await read()).toBeUndefined();
      cache.fill(generation, tenant, keyId, entry(1));
      expect(await read()).toBe(1);
    });

    test("exist until their deadline plus the grace period, in Redis too", async () => {
      const redis = await server();
      const { cache } = await open(redis.uri, { graceMs: 5000 });
      await connected(cache);
      await cache.announce(generation, tenant, [[keyId, { ...entry(1), deadlineMs: Date.now() + 2000 }]]);
      const leftMs = await withRedis(redis.port, (client) => client.pttl(`kw1:test:${generation}:${tenant}:${keyId}`));
      expect(leftMs).toBeGreaterThan(5500);
      expect(leftMs).toBeLessThanOrEqual(7000);
    });
  });

  describe("a server that refuses commands is kept", () => {
    test("after FLUSHALL and SCRIPT FLUSH everything works as before", async () => {
      const redis = await server();
      const { cache, gaps, read } = await open(redis.uri);
      const cacheId = await connected(cache);
      await cache.announce(generation, tenant, [[keyId, entry(1)]]);
      await withRedis(redis.port, async (client) => {
        await client.flushall();
        await client.script("FLUSH");
      });
      expect(await cache.read(generation, tenant, [keyId])).toEqual({ cacheId, entries: [undefined] });
      cache.fill(generation, tenant, keyId, entry(2));
      expect(await Promise.all([3, 4, 5].map((revision) => cache.announce(generation, tenant, [[keyId, entry(revision)]])))).toEqual(
        [3, 4, 5].map(() => cacheId),
      );
      expect(await read()).toBe(5);
      expect(gaps()).toBe(1);
    });

    test("a policy that may evict entries is logged", async () => {
      const redis = await server("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru");
      const warnings: unknown[] = [];
      const { cache } = await open(redis.uri, { log: { info: () => {}, warn: (...line) => warnings.push(line) } });
      await connected(cache);
      expect(warnings).toEqual([[{ policy: "allkeys-lru" }, expect.stringContaining("set maxmemory-policy noeviction")]]);
    });

    test("if it is out of memory, changes fail and reads continue", async () => {
      const redis = await server("--maxmemory-policy", "noeviction");
      const warnings: unknown[] = [];
      const { cache, gaps, read } = await open(redis.uri, { log: { info: () => {}, warn: (fields) => warnings.push(fields) } });
      const cacheId = await connected(cache);
      await cache.announce(generation, tenant, [[keyId, entry(1)]]);
      await withRedis(redis.port, (client) => client.config("SET", "maxmemory", "1"));
      expect(await cache.announce(generation, tenant, [[keyId, entry(2)]])).toBeNull();
      expect(await cache.announce(generation, tenant, [[keyId, entry(2)]])).toBeNull();
      expect(await read()).toBe(1);
      expect(cache.cacheId).toBe(cacheId);
      expect(warnings).toEqual([{ reason: "Redis answered OOM" }]);
      await withRedis(redis.port, (client) => client.config("SET", "maxmemory", "0"));
      expect(await cache.announce(generation, tenant, [[keyId, entry(2)]])).toBe(cacheId);
      expect(gaps()).toBe(1);
    });
  });
});
