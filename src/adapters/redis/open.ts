import type { SharedLedger } from "../../ports/ledger.ts";
import type { SharedCache } from "../../ports/shared-cache.ts";
import { startCircuit } from "./circuit.ts";
import { createRedisLedger } from "./ledger.ts";
import { createRedisSharedCache, type RedisSharedCacheOptions } from "./shared-cache.ts";

/** What processes share by way of Redis, over one circuit. */
export interface RedisBackend {
  /** Closing it ends the circuit. */
  readonly sharedCache: SharedCache;
  readonly ledger: SharedLedger;
}

/**
 * Redis 7 or later: one server, one behind Sentinel, or a Cluster. Rejects for a malformed URI only; it connects by itself, beside the requests,
 * and reports "unknown" without waiting while there is no connection.
 *
 * An ACL user needs `+info +get +mget +getrange +set +del +eval +evalsha +subscribe +publish +ping +time ~kw1:* &kw1:*`, with a database other than 0
 * `+select`; in a Cluster `+cluster|slots +cluster|info +ssubscribe +spublish`; at the sentinels `+sentinel|get-master-addr-by-name`.
 *
 * The cache id stands for the run id and the replication id of every server: a restart, a failover, and the way back of a former master
 * each give another one.
 */
export async function openRedis(options: RedisSharedCacheOptions): Promise<RedisBackend> {
  const circuit = startCircuit(options);
  return { sharedCache: createRedisSharedCache(circuit, options), ledger: createRedisLedger(circuit, options) };
}
