import { expect, test } from "vitest";
import type { Verified } from "../../src/service/judge.ts";
import { createTakeLimits } from "../../src/service/take-limits.ts";
import { keyRecord } from "../support/key-record.ts";
import { noLimits } from "../support/no-limits.ts";

test("a key that a process with a clock ahead created counts as used when it was created, and not before", async () => {
  const uses: number[] = [];
  const usage = { record: (_tenant: string, _keyId: string, usedMs: number) => uses.push(usedMs) };
  const takeLimits = createTakeLimits({ ...noLimits, usage, clock: () => 0 });
  const policy = { quota: 1n, windowMs: 1000, unit: "requests" } as const;
  for (const nowMs of [999, 1001]) {
    for (const [own, actor] of [[null, null] as const, [policy, null] as const, [null, policy] as const, [policy, policy] as const]) {
      const record = keyRecord({ createTimeMs: 1000, rateLimitPolicy: own });
      const verdict = { isValid: true, record } as const;
      const verified: Verified = { verdict, kind: "issued", isGuess: false, nowMs, cacheOutcome: null, customClaims: null };
      await takeLimits("default", verified, record, actor, 1);
    }
  }
  expect(uses).toEqual([1000, 1000, 1000, 1000, 1001, 1001, 1001, 1001]);
});
