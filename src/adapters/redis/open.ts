import type { SharedLedger } from "../../ports/ledger.ts";
import type { SharedCache } from "../../ports/shared-cache.ts";
import { startCircuit } from "./circuit.ts";
import { createRedisLedger } from "./ledger.ts";
import { createRedisSharedCache, type RedisSharedCacheOptions } from "./shared-cache.ts";

/** The cache and the ledger that processes share through Redis, over one circuit. */
export interface RedisBackend {
  /** Closing it also closes the circuit. */
  readonly sharedCache: SharedCache;
  readonly ledger: SharedLedger;
}

/**
 * Requires Redis 7 or later: one server, one behind Sentinel, or a Cluster. Rejects only for a malformed URI. It connects in the
 * background, and while there is no connection it reports "unknown" without waiting.
 *
 * An ACL user needs `+info +get +mget +getrange +set +del +eval +evalsha +subscribe +publish +ping +time ~kw1:* &kw1:*`, and `+select` with
 * a database other than 0; in a Cluster also `+cluster|slots +cluster|info +ssubscribe +spublish`; at the sentinels
 * `+sentinel|get-master-addr-by-name`.
 *
 * The cache id is made from the run id and the replication id of every server, so it changes after a restart, after a failover, and when a
 * former master returns.
 */
export async function openRedis(options: RedisSharedCacheOptions): Promise<RedisBackend> {
  const circuit = startCircuit(options);
  return { sharedCache: createRedisSharedCache(circuit, options), ledger: createRedisLedger(circuit, options) };
}
