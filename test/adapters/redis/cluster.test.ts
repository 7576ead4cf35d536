import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { slotOf } from "../../../src/adapters/redis/slot.ts";
import type { SharedCache } from "../../../src/ports/shared-cache.ts";
import { describeSharedCache } from "../../contract/shared-cache.ts";
import { connected, recordingListener, until } from "../../support/cache-listener.ts";
import { describeOnRedis } from "../../support/describe-on-redis.ts";
import { keyRecord } from "../../support/key-record.ts";
import { openRedisSharedCache } from "../../support/redis-cache.ts";
import { type RedisCluster, startRedisCluster, withRedis } from "../../support/redis-groups.ts";

await describeOnRedis("Redis Cluster", () => {
  describeSharedCache("a Redis Cluster of three masters", async () => {
    const cluster = await startRedisCluster();
    return { open: () => openRedisSharedCache({ namespace: "test", uri: cluster.uri, timeoutMs: 2000 }), dispose: cluster.stop };
  });

  describeSharedCache("a Redis Cluster, as an ACL user", async () => {
    const cluster = await startRedisCluster();
    const needed = "+info +get +mget +getrange +set +del +eval +evalsha +ping +cluster|slots +cluster|info +ssubscribe +spublish";
    for (const { port } of cluster.nodes) {
      await withRedis(port, (client) => client.call("ACL", "SETUSER", "app", "on", ">hush", "~kw1:*", "&kw1:*", ...needed.split(" ")));
    }
    return {
      open: () => openRedisSharedCache({ namespace: "test", uri: cluster.uri.replace("//", "//app:hush@"), timeoutMs: 2000 }),
      dispose: cluster.stop,
    };
  });

  describe("changes of the cluster", () => {
    let cluster: RedisCluster;
    let cache: SharedCache;
    const listener = recordingListener();
    const gaps = () => listener.heard.filter(({ kind }) => kind === "gap").length;
    const keyId = keyRecord().keyId;
    const entry = (revision: number) => ({ record: keyRecord({ revision }), revision, deadlineMs: Date.now() + 60_000 });
    const onNode = <T>(index: number, ...command: [string, ...(string | number)[]]): Promise<T> =>
      withRedis(cluster.nodes[index]?.port ?? 0, (client) => client.call(...command)) as Promise<T>;
    const nodeOf = (name: string) => [5461, 10_923, 16_384].findIndex((end) => slotOf(name) < end);
    beforeAll(async () => {
      cluster = await startRedisCluster();
      cache = await openRedisSharedCache({ namespace: "test", uri: cluster.uri, timeoutMs: 2000 });
      cache.subscribe(listener);
    });
    afterAll(async () => {
      await cache?.close();
      await cluster?.stop();
    });

    test("slots are computed as the servers compute them", async () => {
      for (const name of ["", "123456789", "kw1:changes", "kw1:1:default:x", "a{b}c", "a{}b", "{a", "}{a}", "ключ"]) {
        expect([name, slotOf(name)]).toEqual([name, await onNode(0, "CLUSTER", "KEYSLOT", name)]);
      }
    });

    test("a change is announced only after it is in place, even if one node is slow", async () => {
      const cacheId = await connected(cache);
      const channelNode = nodeOf("kw1:test:changes");
      const far =
        Array.from({ length: 100 }, (_, index) => `key-${index}`).find((id) => nodeOf(`kw1:test:1:default:${id}`) !== channelNode) ?? "";
      const slow = cluster.nodes[nodeOf(`kw1:test:1:default:${far}`)];
      const heard = () => listener.heard.some((event) => event.kind === "change" && event.keyId === far);
      await slow?.kill("SIGSTOP");
      const announced = cache.announce(1, "default", [[far, { ...entry(1), record: null }]]);
      // A heartbeat returns after everything that was published before it.
      cache.beat("later");
      await until(() => listener.heard.some((event) => event.kind === "beat" && event.beatId === "later"), "the heartbeat returned");
      expect(heard()).toBe(false);
      await slow?.kill("SIGCONT");
      expect(await announced).toBe(cacheId);
      await until(heard, "heard");
    });

    test.each([0, 1, 2])("the restart of a master makes it another cache (node %i)", async (index) => {
      const before = await connected(cache);
      const gapsBefore = gaps();
      await cluster.nodes[index]?.kill("SIGKILL");
      await until(() => cache.cacheId === null, "noticed");
      expect(await cache.read(1, "default", [keyId])).toBeNull();
      await cluster.nodes[index]?.restart();
      await connected(cache, before, 30_000);
      expect(gaps()).toBeGreaterThanOrEqual(gapsBefore + 2);
      expect(await cache.announce(1, "default", [[keyId, entry(index + 1)]])).toBe(cache.cacheId);
    });

    test("if slots move, the link ends and is set up again with the new owners", async () => {
      await connected(cache);
      const name = `kw1:test:1:default:${keyId}`;
      const slot = slotOf(name);
      expect(await cache.announce(1, "default", [[keyId, entry(10)]])).toBe(cache.cacheId);
      const ids = await Promise.all([0, 1, 2].map((index) => onNode<string>(index, "CLUSTER", "MYID")));
      const owner = nodeOf(name);
      const target = (owner + 1) % 3;
      const gapsBefore = gaps();
      await onNode(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[owner] as string);
      await onNode(owner, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target] as string);
      await onNode(owner, "MIGRATE", "127.0.0.1", cluster.nodes[target]?.port ?? 0, name, 0, 5000);
      // While the slot moves the cache returns "unknown", never anything wrong.
      expect(await cache.read(1, "default", [keyId])).toBeNull();
      for (const index of [target, owner, 3 - owner - target])
        await onNode(index, "CLUSTER", "SETSLOT", slot, "NODE", ids[target] as string);
      await until(async () => {
        const answer = await cache.read(1, "default", [keyId]);
        return answer?.entries[0]?.revision === 10;
      }, "the entry is read from its new owner");
      expect(gaps()).toBeGreaterThanOrEqual(gapsBefore + 2);
    });
  });
});
