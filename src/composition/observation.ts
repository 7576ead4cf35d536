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
  /** Returns the URL of the metrics, or undefined if they are off. */
  listen(): Promise<string | undefined>;
}

/** Opens metrics on their own port, and traces. */
export async function openObservation({ config, log, version, monotonicMs, closing }: Given): Promise<Observation> {
  const metrics = config.metrics === null ? null : createMetrics(version);
  if (metrics !== null) closing.defer(watchProcess(metrics));
  const traces = await openTraces({ environment: process.env, version, log, metrics });
  closing.defer(() => traces?.close());
  const telemetry = createTelemetry(metrics, traces, monotonicMs);
  const reportError = telemetry.reportFaults(log);
  const server = metrics === null ? null : createMetricsServer(metrics.registry, reportError);
  closing.defer(() => server?.close());
  return {
    metrics,
    telemetry,
    reportError,
    listen: async () => (config.metrics === null ? undefined : server?.listen(config.metrics)),
  };
}
