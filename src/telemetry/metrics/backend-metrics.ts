import type { Registry } from "./registry.ts";

/** Upper bounds in seconds. */
const operationBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** Metrics of the verifier cache: its levels, and messages from other processes. */
export function cacheMetrics({ counter, gauge, histogram }: Registry) {
  return {
    cacheReads: counter({
      name: "keywright_cache_reads_total",
      help: "Look-ups of keys by level: process, shared, store. A hit in the store means that the key exists; a bypass means that Cache-Control asked for it or that the level could not be trusted.",
      labels: ["level", "outcome"],
    }),
    cacheTrust: gauge({
      name: "keywright_cache_trust",
      help: "1 for the mode in which caches are trusted now: leased, grace (the store is unavailable), or none. With workers: the number in each mode.",
      labels: ["mode"],
    }),
    cacheGeneration: gauge({
      name: "keywright_cache_generation",
      combine: "max",
      help: "Current cache generation, as last read from the store.",
    }),
    cacheGenerationChanges: counter({
      name: "keywright_cache_generation_changes_total",
      help: "Number of changes of the cache generation that this process noticed.",
    }),
    cacheDoubts: counter({
      name: "keywright_cache_doubts_total",
      help: "Number of times that this process dropped everything it had cached.",
    }),
    cacheChangesHeard: counter({
      name: "keywright_cache_changes_heard_total",
      help: "Changes of keys received through Redis, including this process's own.",
    }),
    cacheGaps: counter({ name: "keywright_cache_gaps_total", help: "Number of times that messages from Redis may have been missed." }),
    invalidationDelay: histogram({
      name: "keywright_cache_invalidation_delay_seconds",
      help: "Time from sending a heartbeat through Redis to receiving it, on this process's own clock. The message of a change takes the same time.",
      buckets: operationBuckets,
    }),
  };
}

/** Metrics of Redis and the store. */
export function backendMetrics({ counter, gauge, histogram }: Registry) {
  return {
    redisConnected: gauge({
      name: "keywright_redis_connected",
      combine: "min",
      help: "1 while Redis is used, 0 while the circuit is open.",
    }),
    redisDuration: histogram({
      name: "keywright_redis_operation_duration_seconds",
      help: "Duration of Redis operations that a call waits for, including failed ones.",
      labels: ["operation"],
      buckets: operationBuckets,
    }),
    redisErrors: counter({
      name: "keywright_redis_operation_errors_total",
      help: "Redis operations that failed or got no answer.",
      labels: ["operation"],
    }),
    storeDuration: histogram({
      name: "keywright_store_operation_duration_seconds",
      help: "Duration of store operations, including failed ones.",
      labels: ["operation"],
      buckets: operationBuckets,
    }),
    storeErrors: counter({
      name: "keywright_store_operation_errors_total",
      help: "Failed store operations.",
      labels: ["operation"],
    }),
  };
}
