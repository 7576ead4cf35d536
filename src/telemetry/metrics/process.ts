import { readdirSync } from "node:fs";
import { constants, monitorEventLoopDelay, type PerformanceEntry, PerformanceObserver, performance } from "node:perf_hooks";
import type { Metrics } from "./metrics.ts";

const gcKinds: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: "major",
  [constants.NODE_PERFORMANCE_GC_MINOR]: "minor",
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: "incremental",
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: "weakcb",
};

const delayQuantiles = [0.5, 0.9, 0.99, 1];
const delayResolutionMs = 10;

/** Metrics of the process and of Node. Returns a function that stops the measurements. */
export function watchProcess(metrics: Metrics): () => void {
  const delay = monitorEventLoopDelay({ resolution: delayResolutionMs });
  delay.enable();
  const collections = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind } = (entry as PerformanceEntry & { readonly detail: { readonly kind: number } }).detail;
      metrics.gcDuration.of(gcKinds[kind] ?? "other").observe(entry.duration / 1000);
    }
  });
  collections.observe({ entryTypes: ["gc"] });
  metrics.startTime.of().value = performance.timeOrigin / 1000;

  let utilization = performance.eventLoopUtilization();
  metrics.registry.onScrape(() => {
    const { user, system } = process.cpuUsage();
    metrics.cpuSeconds.of().value = (user + system) / 1e6;
    const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
    metrics.residentMemory.of().value = rss;
    metrics.heapUsed.of().value = heapUsed;
    metrics.heapTotal.of().value = heapTotal;
    metrics.externalMemory.of().value = external;
    metrics.openFiles.of().value = openFileCount();
    // The histogram counts from one expected tick to the next, so a tick on time shows as the resolution.
    for (const quantile of delayQuantiles) {
      const nanoseconds = delay.count === 0 ? 0 : delay.percentile(quantile * 100);
      metrics.eventLoopDelay.of(String(quantile)).value = Math.max(0, nanoseconds / 1e9 - delayResolutionMs / 1000);
    }
    delay.reset();
    const now = performance.eventLoopUtilization();
    metrics.eventLoopUtilization.of().value = performance.eventLoopUtilization(now, utilization).utilization;
    utilization = now;
  });

  return () => {
    delay.disable();
    collections.disconnect();
  };
}

/** Linux reports it in /proc. */
function openFileCount(): number {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return 0;
  }
}
