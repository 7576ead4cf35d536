import { createRegistry } from "./registry.ts";

/** Upper bounds in seconds, from a cached verification to a call slow enough for complaints. */
const callBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const operationBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const batchBuckets = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
const gcBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

/**
 * All metrics. Labels take values only from short lists, such as names of methods, codes and levels; never a key, an actor or an address.
 */
export function createMetrics(version: string) {
  const registry = createRegistry();
  const { counter, gauge, histogram } = registry;
  const buildInfo = gauge({
    name: "keywright_build_info",
    combine: "max",
    help: "Always 1; the labels are the versions of Keywright and Node.",
    labels: ["version", "node"],
  });
  buildInfo.of(version, process.version).value = 1;
  return {
    registry,

    connections: gauge({ name: "keywright_connections", help: "Open client connections." }),
    bodyBytes: gauge({
      name: "keywright_request_body_bytes",
      help: "Memory used by request bodies that are being received or are not decoded yet.",
    }),
    bodiesRefused: counter({
      name: "keywright_request_bodies_refused_total",
      help: "Request bodies refused with TOO_MANY_BODIES because the memory for bodies was used up.",
    }),

    connectionsRefused: counter({
      name: "keywright_connections_refused_total",
      help: "Connections closed at once. Reason address: the client's address used up its share; process: the process reached its maximum.",
      labels: ["reason"],
    }),

    rpcCalls: counter({
      name: "keywright_rpc_calls_total",
      help: "Finished calls by method, protocol and code.",
      labels: ["rpc", "protocol", "code"],
    }),
    rpcDuration: histogram({
      name: "keywright_rpc_duration_seconds",
      help: "Time from the headers of a call to its encoded answer.",
      labels: ["rpc", "protocol", "code"],
      buckets: callBuckets,
    }),
    rpcInFlight: gauge({ name: "keywright_rpc_in_flight", help: "Calls in progress.", labels: ["rpc", "protocol"] }),

    faults: counter({
      name: "keywright_faults_total",
      help: "Faults of the service outside of counted calls: in streams, in health, after a deadline, or while a response was written.",
    }),

    verifications: counter({
      name: "keywright_verifications_total",
      help: "Verified credentials. Outcome: valid, or the reason for refusal; credential: the kind that was presented, none if it cannot be a credential.",
      labels: ["credential", "outcome"],
    }),

    batchSize: histogram({
      name: "keywright_batch_verify_credentials",
      help: "Number of credentials in a batch verification.",
      buckets: batchBuckets,
    }),

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

    tokenSignatures: counter({
      name: "keywright_token_signatures_total",
      help: "Signatures of derived tokens by outcome: checked, or remembered from an earlier check.",
      labels: ["outcome"],
    }),
    signingKeysFailures: counter({
      name: "keywright_signing_keys_refresh_failures_total",
      help: "JWK Sets that could not be read again or were malformed; the previous keys stay in use.",
    }),
    auditSuppressed: counter({
      name: "keywright_audit_suppressed_total",
      help: "Refused calls that the audit trail omits because there were too many.",
    }),

    lastUsedQueue: gauge({ name: "keywright_last_used_queue_keys", help: "Keys whose last use is waiting to be written." }),
    lastUsedDropped: counter({
      name: "keywright_last_used_dropped_total",
      help: "Last uses that were not recorded because the queue was full.",
    }),

    logDropped: counter({
      name: "keywright_log_lines_dropped_total",
      help: "Log lines that could not be written because the disk was full, or the reader stopped or is gone.",
    }),

    spans: counter({
      name: "keywright_trace_spans_total",
      help: "Trace spans by outcome: sent, or lost because the collector did not accept them.",
      labels: ["outcome"],
    }),

    workers: gauge({ name: "keywright_workers", help: "Workers that accept connections. Only with more than one worker." }),
    workersReplaced: counter({
      name: "keywright_workers_replaced_total",
      help: "Workers that ended without being asked and were replaced. Only with more than one worker.",
    }),

    cpuSeconds: counter({ name: "process_cpu_seconds_total", help: "User and system CPU time." }),
    residentMemory: gauge({ name: "process_resident_memory_bytes", help: "Resident memory." }),
    startTime: gauge({ name: "process_start_time_seconds", combine: "min", help: "When the process started, in seconds since the epoch." }),
    openFiles: gauge({ name: "process_open_fds", help: "Open file descriptors; 0 if the system does not report them." }),
    heapUsed: gauge({ name: "nodejs_heap_size_used_bytes", help: "Heap memory in use." }),
    heapTotal: gauge({ name: "nodejs_heap_size_total_bytes", help: "Heap memory reserved." }),
    externalMemory: gauge({ name: "nodejs_external_memory_bytes", help: "Memory of buffers and other objects outside the heap." }),
    eventLoopDelay: gauge({
      name: "nodejs_eventloop_delay_seconds",
      combine: "max",
      help: "Delay of the event loop since the previous scrape, by quantile; quantile 1 is the maximum.",
      labels: ["quantile"],
    }),
    eventLoopUtilization: gauge({
      name: "nodejs_eventloop_utilization",
      combine: "max",
      help: "Share of the time since the previous scrape in which the event loop was busy.",
    }),
    gcDuration: histogram({
      name: "nodejs_gc_duration_seconds",
      help: "Garbage collections by kind: major, minor, incremental, weakcb.",
      labels: ["kind"],
      buckets: gcBuckets,
    }),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
