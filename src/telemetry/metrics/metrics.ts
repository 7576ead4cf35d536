import { createRegistry } from "./registry.ts";

/** Upper bounds in seconds, from a cached verify to a call that somebody will complain of. */
const callBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const operationBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const batchBuckets = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
const gcBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

/**
 * Every metric there is. Labels take values of short lists only: names of methods, codes, levels; never a key, an actor or an address.
 */
export function createMetrics(version: string) {
  const registry = createRegistry();
  const { counter, gauge, histogram } = registry;
  const buildInfo = gauge({ name: "keywright_build_info", help: "1, with the versions.", labels: ["version", "node"] });
  buildInfo.of(version, process.version).value = 1;
  return {
    registry,

    connections: gauge({ name: "keywright_connections", help: "Client connections that are open." }),
    bodyBytes: gauge({ name: "keywright_request_body_bytes", help: "Memory held for request bodies that are not decoded yet." }),
    bodiesRefused: counter({
      name: "keywright_request_bodies_refused_total",
      help: "Request bodies refused with TOO_MANY_BODIES because the memory for bodies was used up.",
    }),

    connectionsRefused: counter({
      name: "keywright_connections_refused_total",
      help: "Connections closed at once: address if the client's address had its share, process if no place was left.",
      labels: ["reason"],
    }),

    rpcCalls: counter({ name: "keywright_rpc_calls_total", help: "Calls by their outcome.", labels: ["rpc", "protocol", "code"] }),
    rpcDuration: histogram({
      name: "keywright_rpc_duration_seconds",
      help: "From the headers of a call to its answer.",
      labels: ["rpc", "protocol", "code"],
      buckets: callBuckets,
    }),
    rpcInFlight: gauge({ name: "keywright_rpc_in_flight", help: "Calls under way.", labels: ["rpc", "protocol"] }),

    faults: counter({
      name: "keywright_faults_total",
      help: "Faults of our own outside of counted calls: in streams, in health, after a deadline, or while an answer was written.",
    }),

    verifications: counter({
      name: "keywright_verifications_total",
      help: "Credentials verified; outcome is valid or why not, credential what was presented, none for what can be no credential.",
      labels: ["credential", "outcome"],
    }),

    batchSize: histogram({
      name: "keywright_batch_verify_credentials",
      help: "Credentials in a batch verification.",
      buckets: batchBuckets,
    }),

    cacheReads: counter({
      name: "keywright_cache_reads_total",
      help: "Keys asked for at each level: process, shared, store. A hit of the store is a key that exists; a bypass was asked for by Cache-Control, or the level could not be trusted.",
      labels: ["level", "outcome"],
    }),
    cacheTrust: gauge({
      name: "keywright_cache_trust",
      help: "1 for how far caches are believed now: leased, grace (the store is lost), none.",
      labels: ["mode"],
    }),
    cacheGeneration: gauge({ name: "keywright_cache_generation", help: "The cache generation in force, as last read from the store." }),
    cacheGenerationChanges: counter({
      name: "keywright_cache_generation_changes_total",
      help: "Times another cache generation was found than before.",
    }),
    cacheDoubts: counter({ name: "keywright_cache_doubts_total", help: "Times everything cached in this process was dropped." }),
    cacheChangesHeard: counter({
      name: "keywright_cache_changes_heard_total",
      help: "Changes of keys heard of through Redis, own ones too.",
    }),
    cacheGaps: counter({ name: "keywright_cache_gaps_total", help: "Times messages through Redis may have been missed." }),
    invalidationDelay: histogram({
      name: "keywright_cache_invalidation_delay_seconds",
      help: "From sending a heartbeat through Redis to hearing it come round, on this process's own clock: what the message of a change takes.",
      buckets: operationBuckets,
    }),

    redisConnected: gauge({ name: "keywright_redis_connected", help: "1 while Redis is asked, 0 while the circuit is open." }),
    redisDuration: histogram({
      name: "keywright_redis_operation_duration_seconds",
      help: "Operations on Redis that somebody waits for, failed ones too.",
      labels: ["operation"],
      buckets: operationBuckets,
    }),
    redisErrors: counter({
      name: "keywright_redis_operation_errors_total",
      help: "Operations on Redis that had no answer.",
      labels: ["operation"],
    }),
    storeDuration: histogram({
      name: "keywright_store_operation_duration_seconds",
      help: "Operations on the store, failed ones too.",
      labels: ["operation"],
      buckets: operationBuckets,
    }),
    storeErrors: counter({
      name: "keywright_store_operation_errors_total",
      help: "Operations on the store that failed.",
      labels: ["operation"],
    }),

    tokenSignatures: counter({
      name: "keywright_token_signatures_total",
      help: "Signatures of derived tokens: checked, or remembered from a check before.",
      labels: ["outcome"],
    }),
    signingKeysFailures: counter({
      name: "keywright_signing_keys_refresh_failures_total",
      help: "JWK Sets that could not be read again or were malformed; the keys of before are kept.",
    }),
    auditSuppressed: counter({
      name: "keywright_audit_suppressed_total",
      help: "Refused calls that were left out of the audit trail because there were too many.",
    }),

    lastUsedQueue: gauge({ name: "keywright_last_used_queue_keys", help: "Keys whose last use waits to be written." }),
    lastUsedDropped: counter({ name: "keywright_last_used_dropped_total", help: "Last uses that were not recorded: the queue was full." }),

    logDropped: counter({
      name: "keywright_log_lines_dropped_total",
      help: "Log lines that could not be written: a full disk, or a reader that stopped or is gone.",
    }),

    spans: counter({
      name: "keywright_trace_spans_total",
      help: "Spans handed to the trace collector: sent, or lost because it did not take them.",
      labels: ["outcome"],
    }),

    cpuSeconds: counter({ name: "process_cpu_seconds_total", help: "User and system CPU time." }),
    residentMemory: gauge({ name: "process_resident_memory_bytes", help: "Resident memory." }),
    startTime: gauge({ name: "process_start_time_seconds", help: "When the process started, in seconds since the epoch." }),
    openFiles: gauge({ name: "process_open_fds", help: "Open file descriptors; 0 where the system does not tell." }),
    heapUsed: gauge({ name: "nodejs_heap_size_used_bytes", help: "Heap in use." }),
    heapTotal: gauge({ name: "nodejs_heap_size_total_bytes", help: "Heap reserved." }),
    externalMemory: gauge({ name: "nodejs_external_memory_bytes", help: "Memory of buffers and the like outside the heap." }),
    eventLoopDelay: gauge({
      name: "nodejs_eventloop_delay_seconds",
      help: "How late the event loop was since the scrape before, by quantile; 1 is the most.",
      labels: ["quantile"],
    }),
    eventLoopUtilization: gauge({
      name: "nodejs_eventloop_utilization",
      help: "Share of the time since the scrape before in which the event loop was busy.",
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
