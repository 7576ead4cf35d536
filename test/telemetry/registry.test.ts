import { expect, test } from "vitest";
import { createRegistry } from "../../src/telemetry/metrics/registry.ts";
import { parseScrape } from "../support/metrics.ts";

test("a scrape is the text format of Prometheus", () => {
  const registry = createRegistry();
  const calls = registry.counter({ name: "calls_total", help: "Calls\nby code.", labels: ["rpc", "code"] });
  const waits = registry.histogram({ name: "wait_seconds", help: "Waits.", buckets: [0.1, 1] });
  registry.gauge({ name: "unused", help: "Never set." });
  const looked = registry.gauge({ name: "looked_up", help: "Set at the scrape." });
  registry.onScrape(() => {
    looked.of().value += 1;
  });
  calls.of("Verify", "OK").value += 2;
  calls.of('odd "\\\n', "OK").value += 1;
  for (const seconds of [0.05, 0.1, 0.5, 3]) waits.of().observe(seconds);

  const text = registry.scrape();
  expect(text).toBe(`# HELP calls_total Calls\\nby code.
# TYPE calls_total counter
calls_total{rpc="Verify",code="OK"} 2
calls_total{rpc="odd \\"\\\\\\n",code="OK"} 1
# HELP wait_seconds Waits.
# TYPE wait_seconds histogram
wait_seconds_bucket{le="0.1"} 2
wait_seconds_bucket{le="1"} 3
wait_seconds_bucket{le="+Inf"} 4
wait_seconds_sum 3.65
wait_seconds_count 4
# HELP unused Never set.
# TYPE unused gauge
# HELP looked_up Set at the scrape.
# TYPE looked_up gauge
looked_up 1
`);
  expect(parseScrape(registry.scrape()).value("looked_up")).toBe(2);
});

test("equal labels share one series, and the number of labels must be as declared", () => {
  const family = createRegistry().counter({ name: "x_total", help: "X.", labels: ["a", "b"] });
  expect(family.of("1", "2")).toBe(family.of("1", "2"));
  expect(() => family.of("1")).toThrow("labels wanted: a, b");
});
