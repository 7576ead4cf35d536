import { expect, test } from "vitest";
import { expositionText } from "../../src/telemetry/metrics/exposition.ts";
import { createRegistry } from "../../src/telemetry/metrics/registry.ts";
import { countedBy, sumMetrics } from "../../src/workers/sum-metrics.ts";

function workerWith(calls: Readonly<Record<string, number>>, waits: readonly number[], started: number) {
  const registry = createRegistry();
  const family = registry.counter({ name: "calls_total", help: "Calls.", labels: ["code"] });
  for (const [code, count] of Object.entries(calls)) family.of(code).value += count;
  const histogram = registry.histogram({ name: "wait_seconds", help: "Waits.", buckets: [1] });
  for (const wait of waits) histogram.of().observe(wait);
  registry.gauge({ name: "start_seconds", help: "Start.", combine: "min" }).of().value = started;
  return registry.snapshot();
}

test("series are summed, or combined by the rule of their metric; series of only one worker stay", () => {
  const first = workerWith({ OK: 2 }, [0.5], 100);
  const second = workerWith({ OK: 3, NOT_FOUND: 1 }, [0.25, 4], 90);
  expect(expositionText(sumMetrics([first, second]))).toBe(`# HELP calls_total Calls.
# TYPE calls_total counter
calls_total{code="OK"} 5
calls_total{code="NOT_FOUND"} 1
# HELP wait_seconds Waits.
# TYPE wait_seconds histogram
wait_seconds_bucket{le="1"} 2
wait_seconds_bucket{le="+Inf"} 3
wait_seconds_sum 4.75
wait_seconds_count 3
# HELP start_seconds Start.
# TYPE start_seconds gauge
start_seconds 90
`);
});

test("the counters of a worker that ended stay, and its gauges are removed", () => {
  const ended = countedBy(workerWith({ OK: 2 }, [], 100));
  expect(expositionText(sumMetrics([workerWith({ OK: 1 }, [], 200), ended]))).toContain('calls_total{code="OK"} 3');
  expect(ended.map(({ name }) => name)).toEqual(["calls_total", "wait_seconds"]);
});
