import { memoized } from "../../memoized.ts";
import type { Observe } from "../../observed/observe.ts";
import type { Family, HistogramSeries, Series } from "./registry.ts";

/** Times operations and counts those that fail. */
export function timeOperations(durations: Family<HistogramSeries>, errors: Family<Series>, monotonicMs: () => number): Observe {
  const seriesOf = memoized((operation: string) => ({ duration: durations.of(operation), errors: errors.of(operation) }));
  return async (operation, work, hasFailed) => {
    const series = seriesOf(operation);
    const startMs = monotonicMs();
    try {
      const answer = await work();
      if (hasFailed?.(answer) === true) series.errors.value += 1;
      return answer;
    } catch (error) {
      series.errors.value += 1;
      throw error;
    } finally {
      series.duration.observe((monotonicMs() - startMs) / 1000);
    }
  };
}
