import type { Combination, MetricFamily, Sample } from "../telemetry/metrics/exposition.ts";

const combineBy: Readonly<Record<Combination, (one: number, other: number) => number>> = {
  sum: (one, other) => one + other,
  max: Math.max,
  min: Math.min,
};

/**
 * Combines the metrics of several processes, each series by the rule of its metric. Keeps the order of the first process that has a metric.
 */
export function sumMetrics(processes: readonly (readonly MetricFamily[])[]): readonly MetricFamily[] {
  const joined = new Map<string, MetricFamily>();
  for (const family of processes.flat()) {
    const known = joined.get(family.name);
    joined.set(family.name, known === undefined ? family : { ...known, samples: joinSamples(known, family) });
  }
  return [...joined.values()];
}

function joinSamples({ combine, samples }: MetricFamily, other: MetricFamily): Sample[] {
  const values = new Map(samples);
  for (const [series, value] of other.samples) {
    const known = values.get(series);
    values.set(series, known === undefined ? value : combineBy[combine](known, value));
  }
  return [...values];
}

/** Returns what remains of a process that ended: its counters, not its gauges. */
export function countedBy(families: readonly MetricFamily[]): readonly MetricFamily[] {
  return families.filter(({ type }) => type !== "gauge");
}
