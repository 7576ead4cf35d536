import { expect, test } from "vitest";
import { createOutageLog } from "../src/outage-log.ts";

function setup() {
  const state = { nowMs: 0 };
  const lines: unknown[] = [];
  const line = (level: string) => (fields: object, message: string) => void lines.push([level, message, fields]);
  const outage = createOutageLog({ info: line("info"), warn: line("warn") }, () => state.nowMs);
  return { outage, state, linesOf: () => lines.splice(0) };
}

const failureOf = (text: string) => new Error("no answer", { cause: new Error(text) });

test("an outage has one line for each kind of failure, and one for its end", () => {
  const { outage, state, linesOf } = setup();
  outage.over({}, "back");
  expect(outage.isOn).toBe(false);
  expect(linesOf()).toEqual([]);

  const [closed, closedAgain, denied] = ["connection 1 closed", "connection 27 closed", "denied"].map(failureOf);
  for (const error of [closed, closedAgain, denied, closed]) {
    outage.failed({ error }, "lost");
    state.nowMs += 1000.4;
  }
  expect(outage.isOn).toBe(true);
  expect(linesOf()).toEqual([
    ["warn", "lost", { error: closed }],
    ["warn", "lost", { error: denied }],
  ]);

  outage.over({ name: "n" }, "back");
  outage.over({ name: "n" }, "back");
  expect(outage.isOn).toBe(false);
  expect(linesOf()).toEqual([["info", "back", { name: "n", outageMs: 4002 }]]);

  outage.failed({ error: denied }, "lost");
  expect(linesOf()).toEqual([["warn", "lost", { error: denied }]]);
});

test("reasons that change each time have at most eight lines in an outage", () => {
  const { outage, linesOf } = setup();
  for (let index = 0; index < 100; index += 1) outage.failed({ reason: `status ${index}` }, "lost");
  expect(linesOf()).toHaveLength(8);
});

test("the same reason of another failure has a line", () => {
  const { outage, linesOf } = setup();
  for (const message of ["item 1", "item 2", "item 1"]) outage.failed({ reason: "status 500" }, message);
  expect(linesOf()).toEqual([
    ["warn", "item 1", { reason: "status 500" }],
    ["warn", "item 2", { reason: "status 500" }],
  ]);
});
