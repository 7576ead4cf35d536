import { setImmediate } from "node:timers/promises";
import { expect, it } from "vitest";
import { together } from "../../src/server/together.ts";

it("hands on what comes in one turn together, in order", async () => {
  const steps: string[] = [];
  const add = together((item: string) => {
    steps.push(item);
    queueMicrotask(() => steps.push(`after ${item}`));
  });
  add("a");
  await Promise.resolve();
  add("b");
  expect(steps).toEqual([]);
  await setImmediate();
  expect(steps).toEqual(["a", "b", "after a", "after b"]);
  add("c");
  await setImmediate();
  expect(steps.slice(4)).toEqual(["c", "after c"]);
});
