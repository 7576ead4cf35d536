import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import type { AuditEvent } from "../../src/core/audit.ts";
import { createRefusalRecorder } from "../../src/service/refusal-recorder.ts";

function setup({ maxPerMinute = 3, maxBuffered = 100, maxCounts = 10 } = {}) {
  const written: AuditEvent[] = [];
  const warnings: Readonly<Record<string, unknown>>[] = [];
  const infos: typeof warnings = [];
  const state = { nowMs: 1_000_000, isDown: false, askedForOrigin: 0 };
  const refusals = createRefusalRecorder({
    audit: {
      append: async (_tenant, events) => {
        if (state.isDown) throw new Error("down");
        written.push(...events);
      },
    },
    tenant: "t",
    clock: () => state.nowMs,
    monotonicMs: () => state.nowMs,
    randomBytes,
    maxPerMinute,
    maxCounts,
    maxBuffered,
    log: { info: (fields) => infos.push(fields), warn: (fields) => warnings.push(fields) },
  });
  const refuse = (caller: string, count: number) => {
    for (let index = 0; index < count; index += 1) {
      const origin = () => {
        state.askedForOrigin += 1;
        return { method: "M", caller, clientAddress: "192.0.2.1", requestId: "r" };
      };
      refusals.record(caller, origin, caller === "" ? "UNAUTHENTICATED" : "PERMISSION_DENIED");
    }
  };
  return { refusals, written, warnings, infos, state, refuse };
}

test("writes a maximum per minute for each caller, and for all unknown callers together; reports how many it left out", async () => {
  const { refusals, written, warnings, state, refuse } = setup();
  refuse("", 1000);
  refuse("ann", 2);
  refuse("bob", 5);
  await refusals.flush();
  expect(written.map(({ caller }) => caller)).toEqual(["", "", "", "ann", "ann", "bob", "bob", "bob"]);
  expect(state.askedForOrigin).toBe(8);
  expect(warnings).toEqual([]);
  state.nowMs += 60_000;
  await refusals.flush();
  expect(warnings).toEqual([{ suppressed: 999 }]);
  refuse("", 1);
  await refusals.flush();
  expect(written).toHaveLength(9);
});

test("callers beyond the maximum share one count, and do not affect callers that are counted already", async () => {
  const { refusals, written, state, refuse } = setup({ maxCounts: 2, maxBuffered: 1000 });
  refuse("ann", 1);
  refuse("bob", 1);
  for (let index = 0; index < 500; index += 1) refuse(`stranger-${index}`, 1);
  refuse("ann", 5);
  await refusals.flush();
  const expected = ["ann", "bob", "stranger-0", "stranger-1", "stranger-2", "ann", "ann"];
  expect(written.map(({ caller }) => caller)).toEqual(expected);
  expect(refusals.suppressedCount).toBe(497 + 3);
  state.nowMs += 60_000;
  refuse("stranger-500", 1);
  await refusals.flush();
  expect(written).toHaveLength(8);
});

test("keeps events while the store is down, up to its limit, and writes them when it is back", async () => {
  const { refusals, written, warnings, infos, state, refuse } = setup({ maxPerMinute: 100, maxBuffered: 4 });
  state.isDown = true;
  refuse("ann", 3);
  await refusals.flush();
  refuse("ann", 3);
  await refusals.flush();
  // One line for the outage.
  expect(warnings).toHaveLength(1);
  state.isDown = false;
  state.nowMs += 3000;
  await refusals.flush();
  expect(infos).toEqual([{ outageMs: 3000 }]);
  expect(written).toHaveLength(4);
  expect(new Set(written.map(({ eventId }) => eventId)).size).toBe(4);
});
