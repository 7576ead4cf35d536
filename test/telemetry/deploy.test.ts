import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { type Scrape, scrape } from "../support/metrics.ts";
import { startServerHere } from "../support/server-here.ts";
import type { RunningServer } from "../support/server-process.ts";

const root = join(import.meta.dirname, "../..");
const textOf = (path: string) => readFileSync(join(root, path), "utf8");

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string };
}
interface Panel {
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number };
  readonly targets: readonly { readonly expr: string }[];
}

const rules = (parse(textOf("deploy/alert-rules.yaml"), { strict: true }) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);
const { panels } = JSON.parse(textOf("deploy/grafana-board.json")) as { panels: Panel[] };

let server: RunningServer;
let scraped: Scrape;
beforeAll(async () => {
  server = await startServerHere({ env: { KEYWRIGHT_METRICS_PORT: "0" } });
  scraped = await scrape(server);
});
afterAll(() => server?.[Symbol.asyncDispose]());

/** Metric names in an expression or a text, as in HELP and TYPE lines. */
function metricsIn(text: string): string[] {
  const names = [...text.matchAll(/\b(?:keywright|process|nodejs)_[a-z0-9_]+/g)].map(([name]) => name);
  return [...new Set(names.map((name) => (scraped.types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, ""))))];
}

describe("names only existing metrics, and bucket, sum and count only of histograms", () => {
  test("every alert rule", () => {
    expect(rules.length).toBeGreaterThan(5);
    for (const { alert, expr, annotations } of rules) {
      expect(metricsIn(expr).length, alert).toBeGreaterThan(0);
      for (const name of metricsIn(expr)) expect(scraped.types.has(name), `${alert}: ${name}`).toBe(true);
      expect(annotations.summary, alert).not.toBe("");
    }
  });

  test("every panel of the board", () => {
    expect(panels.length).toBeGreaterThan(10);
    for (const { title, targets } of panels) {
      for (const { expr } of targets) {
        expect(metricsIn(expr).length, title).toBeGreaterThan(0);
        for (const name of metricsIn(expr)) expect(scraped.types.has(name), `${title}: ${name}`).toBe(true);
      }
    }
    expect(new Set(panels.map(({ gridPos }) => `${gridPos.x},${gridPos.y}`)).size).toBe(panels.length);
  });

  test("docs/operations.md", () => {
    const named = metricsIn(textOf("docs/operations.md"));
    expect(named.length).toBeGreaterThan(3);
    for (const name of named) expect(scraped.types.has(name), name).toBe(true);
  });
});

test("every metric of the service is on the board", () => {
  const shown = new Set(panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => metricsIn(expr))));
  const missing = [...scraped.types.keys()].filter((name) => name.startsWith("keywright_") && !shown.has(name));
  expect(missing).toEqual(["keywright_build_info"]);
});
