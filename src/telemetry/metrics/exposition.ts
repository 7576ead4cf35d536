/** How the values of several workers are combined. */
export type Combination = "sum" | "max" | "min";

/** One line: the series with its labels, such as `x_total{code="OK"}`, and its value. */
export type Sample = readonly [series: string, value: number];

/** A metric with all its series. Plain data, so that a worker can send it to another process. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly combine: Combination;
  /** A histogram has a cumulative sample per bucket, then its sum and its count. */
  readonly samples: readonly Sample[];
}

export const expositionContentType = "text/plain; version=0.0.4; charset=utf-8";

/** The text exposition format 0.0.4 of Prometheus. */
export function expositionText(families: readonly MetricFamily[]): string {
  return families.map(familyText).join("");
}

function familyText({ name, help, type, samples }: MetricFamily): string {
  const head = `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n# TYPE ${name} ${type}\n`;
  return head + samples.map(([series, value]) => `${series} ${value}\n`).join("");
}
