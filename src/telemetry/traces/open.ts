import type { Log } from "../../ports/log.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { traceSettings } from "./settings.ts";
import type { Traces } from "./traces.ts";

export interface TracesOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  readonly log: Log;
  readonly monotonicMs: () => number;
  readonly metrics: Metrics | null;
}

/** Returns null if the environment does not enable traces; OpenTelemetry is then not loaded. */
export async function openTraces({ environment, version, log, monotonicMs, metrics }: TracesOptions): Promise<Traces | null> {
  const settings = traceSettings(environment);
  if (settings === null) return null;
  for (const warning of settings.warnings) log.warn({}, warning);
  const { startTraces } = await import("./otlp.ts");
  const onExport = (outcome: "sent" | "lost", spanCount: number) => {
    if (metrics !== null) metrics.spans.of(outcome).value += spanCount;
  };
  return startTraces({ settings, version, log, monotonicMs, onExport });
}
