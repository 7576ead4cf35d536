import { backendMetrics, cacheMetrics } from "./backend-metrics.ts";
import { callMetrics } from "./call-metrics.ts";
import { processMetrics } from "./process-metrics.ts";
import { createRegistry, type Registry } from "./registry.ts";

/**
 * All metrics. Labels take values only from short lists, such as names of methods, codes and levels; never a key, an actor or an address.
 */
export function createMetrics(version: string) {
  const registry = createRegistry();
  addBuildInfo(registry, version);
  return {
    registry,
    ...callMetrics(registry),
    ...cacheMetrics(registry),
    ...backendMetrics(registry),
    ...writerMetrics(registry),
    ...processMetrics(registry),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;

function addBuildInfo({ gauge }: Registry, version: string): void {
  const buildInfo = gauge({
    name: "keywright_build_info",
    combine: "max",
    help: "Always 1; the labels are the versions of Keywright and Node.",
    labels: ["version", "node"],
  });
  buildInfo.of(version, process.version).value = 1;
}

/** Metrics of tokens, and of what is written besides calls: the audit trail, last uses, log lines, spans. */
function writerMetrics({ counter, gauge }: Registry) {
  return {
    tokenSignatures: counter({
      name: "keywright_token_signatures_total",
      help: "Signatures of derived tokens by outcome: checked, or remembered from an earlier check.",
      labels: ["outcome"],
    }),
    signingKeysFailures: counter({
      name: "keywright_signing_keys_refresh_failures_total",
      help: "JWK Sets that could not be read again or were malformed; the previous keys stay in use.",
    }),
    certificateExpiry: gauge({
      name: "keywright_tls_certificate_expiry_timestamp_seconds",
      combine: "min",
      help: "When the server's certificate expires, in seconds since the epoch; 0 without TLS.",
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
      help: "Workers that ended unexpectedly and were replaced. Only with more than one worker.",
    }),
  };
}
