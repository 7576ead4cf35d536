import { expect, test } from "vitest";
import type { Log } from "../../src/ports/log.ts";
import { createUsageFlush } from "../../src/service/usage-flush.ts";
import { createUsageRecorder } from "../../src/service/usage-recorder.ts";

function setup() {
  const touches: PromiseWithResolvers<void>[] = [];
  const logged: [string, unknown][] = [];
  const touch = () => {
    const touched = Promise.withResolvers<void>();
    touches.push(touched);
    return touched.promise;
  };
  const usage = createUsageRecorder({ store: { touch }, maxKeys: 1 });
  const line: Log["warn"] = ({ dropped }, message) => logged.push([message, dropped]);
  const flush = createUsageFlush({ usage, monotonicMs: () => 0, log: { info: line, warn: line } });
  return { usage, flush, touches, logged };
}

test("reports how many uses were dropped since the last report", async () => {
  const { usage, flush, touches, logged } = setup();
  for (const keyId of ["a", "b", "c"]) usage.record("t", keyId, 1);
  const flushing = flush();
  await Promise.resolve();
  touches[0]?.resolve();
  await flushing;
  await flush();
  expect(logged).toEqual([["dropped last uses of keys because the buffer was full", 2]]);
});

test("a flush waits for the previous one, and writes what that one could not", async () => {
  const { usage, flush, touches, logged } = setup();
  usage.record("t", "a", 1);
  const first = flush();
  await Promise.resolve();
  const second = flush();
  expect(touches).toHaveLength(1);
  touches[0]?.reject(new Error("down"));
  await first;
  await new Promise(setImmediate);
  expect(touches).toHaveLength(2);
  touches[1]?.reject(new Error("down"));
  await second;
  const third = flush();
  await new Promise(setImmediate);
  touches[2]?.resolve();
  await third;
  const lines = ["cannot write the last uses of keys; will try again", "the last uses of keys are written again"];
  expect(logged.map(([message]) => message)).toEqual(lines);
});

test("while writing fails, each kind of failure has one line, and so have the first dropped uses", async () => {
  const lines: [string, unknown][] = [];
  let failure: Error | null = null;
  const usage = { droppedCount: 0, flush: async () => (failure === null ? undefined : Promise.reject(failure)) };
  const line: Log["warn"] = ({ dropped }, message) => lines.push([message, dropped]);
  const flush = createUsageFlush({ usage, monotonicMs: () => 0, log: { info: line, warn: line } });
  const failing = ["cannot write the last uses of keys; will try again", undefined];
  const linesAfter = async (cause: string | null, droppedCount: number) => {
    failure = cause === null ? null : new Error("down", { cause: new Error(`${cause} on connection ${droppedCount}`) });
    usage.droppedCount = droppedCount;
    await flush();
    return lines.splice(0);
  };
  const dropped = (count: number) => ["dropped last uses of keys because the buffer was full", count];
  expect(await linesAfter("closed", 0)).toEqual([failing]);
  expect(await linesAfter("closed", 2)).toEqual([dropped(2)]);
  expect(await linesAfter("closed", 5)).toEqual([]);
  expect(await linesAfter("not authorized", 6)).toEqual([failing]);
  expect(await linesAfter("closed", 6)).toEqual([]);
  expect(await linesAfter(null, 6)).toEqual([["the last uses of keys are written again", undefined], dropped(4)]);
  expect(await linesAfter("not authorized", 6)).toEqual([failing]);
});
