import { openRedis } from "../../src/adapters/redis/open.ts";
import type { RedisSharedCacheOptions } from "../../src/adapters/redis/shared-cache.ts";
import type { SharedCache } from "../../src/ports/shared-cache.ts";

/** Opens only the cache of Redis. */
export async function openRedisSharedCache(options: RedisSharedCacheOptions): Promise<SharedCache> {
  return (await openRedis(options)).sharedCache;
}
