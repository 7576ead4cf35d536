import type { MetricsConfig } from "../config/config.ts";
import { createMetricsServer } from "../server/metrics-server.ts";
import { createMetrics, type Metrics } from "../telemetry/metrics/metrics.ts";
import { watchProcess } from "../telemetry/metrics/process.ts";
import { createTelemetry, type Telemetry } from "../telemetry/telemetry.ts";
import { openTraces } from "../telemetry/traces/open.ts";
import type { Given } from "./given.ts";

export interface Observation {
  /** Null if metrics are off. */
  readonly metrics: Metrics | null;
  readonly telemetry: Telemetry;
  readonly reportError: (error: unknown) => void;
  /** Serves the metrics at `address` and returns their URL; undefined if they are off, or if `address` is null. */
  listen(address: MetricsConfig | null): Promise<string | undefined>;
}

/** Opens metrics on their own port, and traces. */
export async function openObservation({ config, log, version, monotonicMs, closing }: Given): Promise<Observation> {
  const metrics = config.metrics === null ? null : createMetrics(version);
  if (metrics !== null) closing.defer(watchProcess(metrics));
  const traces = await openTraces({ environment: process.env, version, log, monotonicMs, metrics });
  closing.defer(() => traces?.close());
  const telemetry = createTelemetry(metrics, traces, monotonicMs);
  const reportError = telemetry.reportFaults(log);
  const server = metrics === null ? null : createMetricsServer(metrics.registry, reportError);
  closing.defer(() => server?.close());
  return {
    metrics,
    telemetry,
    reportError,
    listen: async (address) => (address === null ? undefined : server?.listen(address)),
  };
}
