import { expect, test } from "vitest";
import type { LastUse } from "../../src/ports/key-store.ts";
import { createUsageRecorder, maxUsesPerWrite } from "../../src/service/usage-recorder.ts";

function setup(maxKeys = 10) {
  const written: (readonly LastUse[])[] = [];
  let failing = false;
  const usage = createUsageRecorder({
    store: {
      touch: async (uses) => {
        if (failing) throw new Error("down");
        written.push(uses);
      },
    },
    maxKeys,
  });
  return { usage, written, fail: (value: boolean) => (failing = value) };
}

test("writes the newest use of each key, once, and those of all tenants together", async () => {
  const { usage, written } = setup();
  usage.record("t", "a", 2);
  usage.record("t", "a", 3);
  usage.record("t", "a", 1);
  usage.record("u", "a", 9);
  await usage.flush();
  await usage.flush();
  expect(written).toEqual([
    [
      { tenant: "t", keyId: "a", lastUsedTimeMs: 3 },
      { tenant: "u", keyId: "a", lastUsedTimeMs: 9 },
    ],
  ]);
});

test("keeps uses that could not be written, without overwriting newer ones", async () => {
  const { usage, written, fail } = setup();
  usage.record("t", "a", 1);
  fail(true);
  const flushing = usage.flush();
  usage.record("t", "a", 5);
  await expect(flushing).rejects.toThrow("down");
  fail(false);
  await usage.flush();
  expect(written).toEqual([[{ tenant: "t", keyId: "a", lastUsedTimeMs: 5 }]]);
});

test("is bounded, and counts dropped uses", async () => {
  const { usage, written } = setup(1);
  usage.record("t", "a", 1);
  usage.record("t", "b", 1);
  usage.record("t", "a", 2);
  await usage.flush();
  expect(written).toEqual([[{ tenant: "t", keyId: "a", lastUsedTimeMs: 2 }]]);
  expect(usage.droppedCount).toBe(1);
});

test("writes many uses in several writes, and keeps those of the failed write and of all after it", async () => {
  const count = 2 * maxUsesPerWrite + 1;
  const { usage, written, fail } = setup(count);
  const recordAll = () => {
    for (let index = 0; index < count; index += 1) usage.record(index % 2 === 0 ? "t" : "u", `key ${index}`, 1);
  };
  recordAll();
  const flushing = usage.flush();
  // The first write has begun.
  fail(true);
  await expect(flushing).rejects.toThrow("down");
  expect([written.map((uses) => uses.length), usage.queuedCount]).toEqual([[maxUsesPerWrite], count - maxUsesPerWrite]);
  fail(false);
  await usage.flush();
  expect(written.map((uses) => uses.length)).toEqual([maxUsesPerWrite, maxUsesPerWrite, 1]);
  expect(new Set(written.flat().map(({ tenant, keyId }) => `${tenant} ${keyId}`)).size).toBe(count);
});
