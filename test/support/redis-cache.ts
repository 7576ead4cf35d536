import { openRedis } from "../../src/adapters/redis/open.ts";
import type { RedisSharedCacheOptions } from "../../src/adapters/redis/shared-cache.ts";
import type { SharedCache } from "../../src/ports/shared-cache.ts";

/** Of what Redis is used for only the cache. */
export async function openRedisSharedCache(options: RedisSharedCacheOptions): Promise<SharedCache> {
  return (await openRedis(options)).sharedCache;
}
