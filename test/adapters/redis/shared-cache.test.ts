import { describeSharedCache } from "../../contract/shared-cache.ts";
import { describeOnRedis } from "../../support/describe-on-redis.ts";
import { openRedisSharedCache } from "../../support/redis-cache.ts";
import { ownRedis } from "../../support/redis-groups.ts";

await describeOnRedis("Redis, one server", () => {
  describeSharedCache("one Redis server", async () => {
    const server = await ownRedis();
    return { open: () => openRedisSharedCache({ namespace: "test", uri: server.uri, timeoutMs: 2000 }), dispose: () => server.stop() };
  });
});
