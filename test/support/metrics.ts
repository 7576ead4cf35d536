import type { RunningServer } from "./server-process.ts";

export interface Scrape {
  readonly text: string;
  /** Names of HELP and TYPE lines, with the type. */
  readonly types: ReadonlyMap<string, string>;
  /** The value of a line, by name and labels as written: `keywright_connections`, `x_total{a="b"}`; undefined if there is none. */
  value(series: string): number | undefined;
}

/** The URL of the metrics, as logged by a server that was started with KEYWRIGHT_METRICS_PORT=0. */
export function metricsUrl(server: RunningServer): string {
  const url = /"metricsUrl":"([^"]+)"/.exec(server.output())?.[1];
  if (url === undefined) throw new Error(`the server has no metrics:\n${server.output()}`);
  return url;
}

export async function scrape(server: RunningServer): Promise<Scrape> {
  const answer = await fetch(metricsUrl(server));
  if (!answer.ok) throw new Error(`the scrape returned ${answer.status}`);
  return parseScrape(await answer.text());
}

/** Throws for a line that is not in text format 0.0.4, for a series before its HELP and TYPE, and for a duplicate series. */
export function parseScrape(text: string): Scrape {
  const types = new Map<string, string>();
  const values = new Map<string, number>();
  const helped = new Set<string>();
  for (const line of text.trimEnd().split("\n")) {
    const help = /^# HELP (\w+) \S/.exec(line)?.[1];
    const [, typed, type] = /^# TYPE (\w+) (counter|gauge|histogram)$/.exec(line) ?? [];
    const [, series, name, number] = /^((\w+)(?:\{(?:\w+="(?:[^"\\\n]|\\["\\n])*",?)+\})?) (-?[\d.e+-]+)$/.exec(line) ?? [];
    if (help !== undefined) helped.add(help);
    else if (typed !== undefined && type !== undefined && helped.has(typed) && !types.has(typed)) types.set(typed, type);
    else if (series !== undefined && name !== undefined && isKnown(types, name) && !values.has(series)) values.set(series, Number(number));
    else throw new Error(`not a line of the text format: ${line}`);
  }
  return { text, types, value: (series) => values.get(series) };
}

function isKnown(types: ReadonlyMap<string, string>, name: string): boolean {
  return types.has(name) || types.get(name.replace(/_(bucket|sum|count)$/, "")) === "histogram";
}
