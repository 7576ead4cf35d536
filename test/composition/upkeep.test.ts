import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startUpkeep, type UpkeepParts } from "../../src/composition/upkeep.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("if warming up fails, as without file descriptors, the process goes on and says so", async () => {
  await using closing = new AsyncDisposableStack();
  const warnings: unknown[] = [];
  const flush = async () => {};
  const parts = {
    log: { warn: (...line: unknown[]) => warnings.push(line) },
    closing,
    usage: { flush, droppedCount: 0 },
    refusals: { flush },
    trust: { tick: flush },
    directory: { refresh: flush, catchUp: flush },
    warmUp: () => Promise.reject(new Error("EMFILE")),
  };
  await startUpkeep(parts as unknown as UpkeepParts);
  await vi.advanceTimersByTimeAsync(2000);
  // An unhandled rejection would end the process.
  expect(warnings).toEqual([[{ error: new Error("EMFILE") }, expect.stringContaining("warming up failed")]]);
});
