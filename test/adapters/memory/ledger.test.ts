import { expect, test } from "vitest";
import { createMemoryLedger } from "../../../src/adapters/memory/ledger.ts";
import { describeRateLimiter, policyOf } from "../../contract/rate-limiter.ts";

describeRateLimiter("memory", async () => {
  const limiter = createMemoryLedger({ maxEntries: 1000, monotonicMs: () => performance.now() });
  return { open: async () => limiter, dispose: async () => {} };
});

const hourMs = 3_600_000;

test("no more debts than the maximum are remembered", () => {
  const limiter = createMemoryLedger({ maxEntries: 100, monotonicMs: () => 0 });
  const keyIds = Array.from({ length: 10_000 }, (_, key) => `key ${key}`);
  for (const keyId of keyIds) limiter.take("default", keyId, policyOf(2n, hourMs), 1);
  const remembered = keyIds.filter((keyId) => limiter.take("default", keyId, policyOf(2n, hourMs), 0).remaining === 1n);
  expect(remembered).toHaveLength(100);
});

test("debts that have ended make room, so that no debt is forgotten before it ends", () => {
  let nowMs = 0;
  const limiter = createMemoryLedger({ maxEntries: 2000, monotonicMs: () => nowMs });
  limiter.take("default", "long", policyOf(2n, hourMs), 1);
  for (; nowMs < 100_000; nowMs += 1) limiter.take("default", `key ${nowMs}`, policyOf(1n, 1000), 1);
  expect(limiter.take("default", "long", policyOf(2n, hourMs), 0).remaining).toBe(1n);
});
