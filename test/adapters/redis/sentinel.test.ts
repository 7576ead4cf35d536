import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SharedCache } from "../../../src/ports/shared-cache.ts";
import { describeSharedCache } from "../../contract/shared-cache.ts";
import { connected, recordingListener, until } from "../../support/cache-listener.ts";
import { describeOnRedis } from "../../support/describe-on-redis.ts";
import { keyRecord } from "../../support/key-record.ts";
import { openRedisSharedCache } from "../../support/redis-cache.ts";
import { type SentinelGroup, startSentinelGroup, withRedis } from "../../support/redis-groups.ts";

await describeOnRedis("Redis with Sentinel", () => {
  describeSharedCache("Redis behind Sentinel", async () => {
    const group = await startSentinelGroup();
    return { open: () => openRedisSharedCache({ namespace: "test", uri: group.uri, timeoutMs: 2000 }), dispose: group.stop };
  });

  describe("a failover", () => {
    let group: SentinelGroup;
    let cache: SharedCache;
    const listener = recordingListener();
    const keyId = keyRecord().keyId;
    const entry = (revision: number) => ({ record: keyRecord({ revision }), revision, deadlineMs: Date.now() + 60_000 });
    beforeAll(async () => {
      group = await startSentinelGroup();
      cache = await openRedisSharedCache({ namespace: "test", uri: group.uri, timeoutMs: 2000 });
      cache.subscribe(listener);
    });
    afterAll(async () => {
      await cache?.close();
      await group?.stop();
    });

    const ids: string[] = [];

    test("the promoted replica is another cache and lacks, under the old name, writes that it did not receive", async () => {
      ids.push(await connected(cache));
      expect(await cache.announce(1, "default", [[keyId, entry(1)]])).toBe(ids[0]);
      const { port } = group.replica;
      const replicated = () => withRedis(port, (client) => client.exists(`kw1:test:1:default:${keyId}`));
      await until(async () => (await replicated()) === 1, "replicated");
      // The replica hangs while the master accepts one more write and then dies.
      await group.replica.kill("SIGSTOP");
      expect(await cache.announce(1, "default", [[keyId, entry(2)]])).toBe(ids[0]);
      await group.master.kill("SIGKILL");
      await until(() => cache.cacheId === null, "noticed");
      await group.replica.kill("SIGCONT");

      ids.push(await connected(cache, ids[0] as string, 30_000));
      expect(listener.heard.filter(({ kind }) => kind === "gap").length).toBeGreaterThanOrEqual(3);
      const answer = await cache.read(1, "default", [keyId]);
      expect(answer?.cacheId).toBe(ids[1]);
    });

    test("the former master is not used as a replica; promoted again it is a third cache", async () => {
      await group.master.restart();
      // Sentinel disconnects the clients of a server that it turns into a replica.
      const synced = () =>
        withRedis(group.master.port, async (client) => (await client.info("replication")).includes("master_link_status:up")).catch(
          () => false,
        );
      await until(synced, "the former master follows the new one", 30_000);
      expect(cache.cacheId).toBe(ids[1]);
      const sentinelPort = Number(/:(\d+)/.exec(group.uri)?.[1]);
      await until(
        () =>
          withRedis(sentinelPort, async (client) => {
            await client.call("SENTINEL", "failover", "main").catch(() => {});
            const [, port] = (await client.call("SENTINEL", "get-master-addr-by-name", "main")) as string[];
            return Number(port) === group.master.port;
          }),
        "failed over",
        40_000,
      );
      await until(() => cache.cacheId !== null && !ids.includes(cache.cacheId), "connected to the master again", 30_000);
      expect(await cache.announce(1, "default", [[keyId, entry(3)]])).toBe(cache.cacheId);
    });
  });
});
