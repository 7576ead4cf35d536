import { createMemoryLedger } from "../../src/adapters/memory/ledger.ts";
import type { RedisOptions } from "../../src/adapters/redis/circuit.ts";
import { openRedis } from "../../src/adapters/redis/open.ts";
import { createSharedRateLimiter } from "../../src/limit/rate-limiter.ts";
import type { RateLimiter } from "../../src/ports/rate-limiter.ts";
import type { SharedCache } from "../../src/ports/shared-cache.ts";
import type { OpenRateLimiters } from "../contract/rate-limiter.ts";
import { connected } from "./cache-listener.ts";

export interface LimiterOptions extends Partial<RedisOptions> {
  readonly outage?: "open" | "closed";
  readonly monotonicMs?: () => number;
}

/** The limiter of one process that is connected to Redis. Default: `closed`, so that only Redis admits. */
export async function openRedisLimiter(
  uri: string,
  { outage = "closed", monotonicMs = () => performance.now(), ...options }: LimiterOptions = {},
): Promise<{ readonly limiter: RateLimiter; readonly cache: SharedCache }> {
  // A long time-out if time is not what is tested, because the machine may be busy.
  const { sharedCache, ledger } = await openRedis({ namespace: "test", uri, timeoutMs: 2000, ...options });
  await connected(sharedCache);
  const local = createMemoryLedger({ maxEntries: 1000, monotonicMs, isFollower: true });
  const schedule = (delayMs: number, work: () => void) => void setTimeout(work, delayMs).unref();
  return { limiter: createSharedRateLimiter({ local, shared: ledger, outage, monotonicMs, schedule }), cache: sharedCache };
}

/** Limiters for the contract tests. */
export function redisLimiters(uri: string, stopServers: () => Promise<unknown>): OpenRateLimiters {
  const caches: SharedCache[] = [];
  return {
    async open() {
      const { limiter, cache } = await openRedisLimiter(uri);
      caches.push(cache);
      return limiter;
    },
    async dispose() {
      for (const cache of caches) await cache.close();
      await stopServers();
    },
  };
}
