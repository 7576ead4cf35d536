import type { DescMethodUnary } from "@bufbuild/protobuf";
import type { CallObservation, Protocol } from "../../call/call.ts";
import type { CallObserver } from "../../call/observe.ts";
import type { Failure } from "../../error/failure.ts";
import { type CodeName, errorTable } from "../../error/table.ts";
import { memoized } from "../../memoized.ts";
import type { Metrics } from "./metrics.ts";
import type { HistogramSeries, Series } from "./registry.ts";

/** The series of one method over one protocol. */
interface MethodSeries {
  readonly inFlight: Series;
  readonly outcome: (code: CodeName | "OK") => { readonly calls: Series; readonly duration: HistogramSeries };
}

/** Counts and times calls. */
export function countCalls({ rpcInFlight, rpcCalls, rpcDuration }: Metrics, monotonicMs: () => number): CallObserver {
  const seriesOf = memoized((method: DescMethodUnary) =>
    memoized((protocol: Protocol): MethodSeries => {
      const labels = [method.name, protocol] as const;
      return {
        inFlight: rpcInFlight.of(...labels),
        outcome: memoized((code) => ({ calls: rpcCalls.of(...labels, code), duration: rpcDuration.of(...labels, code) })),
      };
    }),
  );
  return { begin: ({ method, protocol }) => new CallCount(seriesOf(method)(protocol), monotonicMs) };
}

class CallCount implements CallObservation {
  readonly #series: MethodSeries;
  readonly #monotonicMs: () => number;
  readonly #startMs: number;
  #isOver = false;

  constructor(series: MethodSeries, monotonicMs: () => number) {
    this.#series = series;
    this.#monotonicMs = monotonicMs;
    this.#startMs = monotonicMs();
    series.inFlight.value += 1;
  }

  end(failure: Failure | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#series.inFlight.value -= 1;
    const { calls, duration } = this.#series.outcome(failure === null ? "OK" : errorTable[failure.reason].code);
    calls.value += 1;
    duration.observe((this.#monotonicMs() - this.#startMs) / 1000);
  }
}
