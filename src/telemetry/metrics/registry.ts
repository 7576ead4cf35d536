import { type Combination, expositionContentType, expositionText, type MetricFamily, type Sample } from "./exposition.ts";

/** One line of a scrape. The code that counts keeps it and adds to `value`, without a look-up. */
export interface Series {
  value: number;
}

export interface HistogramSeries {
  /** A histogram of durations, in seconds. */
  observe(value: number): void;
}

/** Returns the series of one metric by the values of its labels, in their order. A series is created at its first use. */
export interface Family<S> {
  of(...labelValues: readonly string[]): S;
}

export interface Description {
  readonly name: string;
  readonly help: string;
  /** Names of labels. Their values must be few and never come from a caller. */
  readonly labels?: readonly string[];
  /** How the values of several workers are combined. Default: the sum. */
  readonly combine?: Combination;
}

/**
 * Metrics of this process. Our own implementation, because of the hot path: prom-client 15.1.3 hashes the labels each time that it counts or
 * observes, and it has had no release since 2024.
 */
export interface Registry {
  counter(description: Description): Family<Series>;
  gauge(description: Description): Family<Series>;
  /** `buckets` are upper bounds, ascending. */
  histogram(description: Description & { readonly buckets: readonly number[] }): Family<HistogramSeries>;
  /** Called at every scrape, to set values that are only read then. */
  onScrape(collect: () => void): void;
  /** Reads all metrics. */
  snapshot(): readonly MetricFamily[];
  /** `snapshot` as text, of the type `contentType`. */
  scrape(): string;
  readonly contentType: string;
}

export function createRegistry(): Registry {
  const collectors: (() => void)[] = [];
  const families: (() => MetricFamily)[] = [];

  const addNumbers = (type: "counter" | "gauge", { name, help, labels = [], combine = "sum" }: Description): Family<Series> => {
    const all = createSeries<Series>(labels, () => ({ value: 0 }));
    families.push(() => ({ name, help, type, combine, samples: all.samples((label, { value }) => [sample(name, label, value)]) }));
    return all;
  };

  const snapshot = () => {
    for (const collect of collectors) collect();
    return families.map((family) => family());
  };

  return {
    counter: (description) => addNumbers("counter", description),
    gauge: (description) => addNumbers("gauge", description),

    histogram({ name, help, labels = [], combine = "sum", buckets }) {
      const all = createSeries(labels, () => createHistogram(buckets));
      const samplesOf = (label: string, histogram: ReturnType<typeof createHistogram>) => histogram.samples(name, label);
      families.push(() => ({ name, help, type: "histogram", combine, samples: all.samples(samplesOf) }));
      return all;
    },

    onScrape(collect) {
      collectors.push(collect);
    },

    snapshot,
    scrape: () => expositionText(snapshot()),
    contentType: expositionContentType,
  };
}

function createSeries<S>(labels: readonly string[], create: () => S) {
  const all = new Map<string, S>();
  return {
    of(...labelValues: readonly string[]): S {
      if (labelValues.length !== labels.length) throw new Error(`labels wanted: ${labels.join(", ")}`);
      const label = labels.map((name, index) => `${name}="${escapeValue(labelValues[index] as string)}"`).join(",");
      const known = all.get(label);
      if (known !== undefined) return known;
      const created = create();
      all.set(label, created);
      return created;
    },
    samples: (samplesOf: (label: string, series: S) => readonly Sample[]): Sample[] =>
      Array.from(all).flatMap(([label, series]) => samplesOf(label, series)),
  };
}

function createHistogram(buckets: readonly number[]) {
  const counts = new Float64Array(buckets.length + 1);
  let sum = 0;
  return {
    observe(value: number): void {
      let index = 0;
      while (index < buckets.length && value > (buckets[index] as number)) index += 1;
      counts[index] = (counts[index] as number) + 1;
      sum += value;
    },
    samples(name: string, label: string): Sample[] {
      let total = 0;
      const bounds = [...buckets.map(String), "+Inf"].map((bound, index) => {
        total += counts[index] as number;
        return sample(`${name}_bucket`, label === "" ? `le="${bound}"` : `${label},le="${bound}"`, total);
      });
      return [...bounds, sample(`${name}_sum`, label, sum), sample(`${name}_count`, label, total)];
    },
  };
}

function sample(name: string, label: string, value: number): Sample {
  return [label === "" ? name : `${name}{${label}}`, value];
}

function escapeValue(text: string): string {
  return text.replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));
}
