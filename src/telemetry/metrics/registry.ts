/** One line of a scrape. The code that counts keeps it and adds to `value`, which costs no look-up. */
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
}

/**
 * Metrics of this process, and their text for Prometheus. Our own, because of the hot path: prom-client 15.1.3 takes half a microsecond to
 * count and more to observe, as it hashes the labels each time, and it has had no release since 2024.
 */
export interface Registry {
  counter(description: Description): Family<Series>;
  gauge(description: Description): Family<Series>;
  /** `buckets` are upper bounds, ascending. */
  histogram(description: Description & { readonly buckets: readonly number[] }): Family<HistogramSeries>;
  /** Called at every scrape, to set values that are read only then. */
  onScrape(collect: () => void): void;
  readonly contentType: string;
  /** Text exposition format 0.0.4. */
  scrape(): string;
}

export function createRegistry(): Registry {
  const collectors: (() => void)[] = [];
  const families: (() => string)[] = [];

  const addNumbers = (type: "counter" | "gauge", { name, help, labels = [] }: Description): Family<Series> => {
    const all = createSeries<Series>(labels, () => ({ value: 0 }));
    families.push(() => `${head(name, help, type)}${all.lines((label, { value }) => line(name, label, value))}`);
    return all;
  };

  return {
    counter: (description) => addNumbers("counter", description),
    gauge: (description) => addNumbers("gauge", description),

    histogram({ name, help, labels = [], buckets }) {
      const all = createSeries(labels, () => createHistogram(buckets));
      families.push(() => `${head(name, help, "histogram")}${all.lines((label, histogram) => histogram.lines(name, label))}`);
      return all;
    },

    onScrape(collect) {
      collectors.push(collect);
    },

    contentType: "text/plain; version=0.0.4; charset=utf-8",

    scrape() {
      for (const collect of collectors) collect();
      return families.map((text) => text()).join("");
    },
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
    lines: (text: (label: string, series: S) => string): string => Array.from(all, ([label, series]) => text(label, series)).join(""),
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
    lines(name: string, label: string): string {
      let total = 0;
      const bounds = [...buckets.map(String), "+Inf"].map((bound, index) => {
        total += counts[index] as number;
        return line(`${name}_bucket`, label === "" ? `le="${bound}"` : `${label},le="${bound}"`, total);
      });
      return `${bounds.join("")}${line(`${name}_sum`, label, sum)}${line(`${name}_count`, label, total)}`;
    },
  };
}

function head(name: string, help: string, type: string): string {
  return `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n# TYPE ${name} ${type}\n`;
}

function line(name: string, label: string, value: number): string {
  return `${name}${label === "" ? "" : `{${label}}`} ${value}\n`;
}

function escapeValue(text: string): string {
  return text.replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));
}
