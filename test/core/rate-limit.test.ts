import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { convert, type Debt, isEnforced, noDebt, owedAt, priceOf, rateOf, spend, type Taken, takenOf } from "../../src/core/rate-limit.ts";
import { runCount } from "../support/run-count.ts";

interface Policy {
  readonly quota: bigint;
  readonly windowMs: number;
}

/** A key's limit as the adapters compute it, step by step. */
function limitOf(policy: Policy) {
  const rate = rateOf({ ...policy, unit: "requests" });
  let end: Debt = noDebt;
  return {
    take(nowUs: number, cost: number): Taken {
      const price = priceOf(rate, cost);
      const { admitted, owed } = spend(rate, owedAt(rate.windowUs, nowUs, end), price);
      if (admitted) end = { us: nowUs + owed.us, part: owed.part };
      return takenOf(rate, price, admitted, owed);
    },
  };
}

/** The naive model: a bucket of `quota` units that refills at quota / window, in exact fractions (units times window). */
function bucketOf({ quota, windowMs }: Policy) {
  const windowUs = BigInt(windowMs) * 1000n;
  const full = quota * windowUs;
  let level = full;
  let lastUs = 0n;
  return {
    take(nowUs: number, cost: number): Taken {
      level += (BigInt(nowUs) - lastUs) * quota;
      if (level > full) level = full;
      lastUs = BigInt(nowUs);
      const price = BigInt(cost) * windowUs;
      const admitted = price <= level;
      const retryAfterMs = admitted ? 0 : price > full ? null : Number(ceilDiv(price - level, quota * 1000n));
      if (admitted) level -= price;
      return { admitted, remaining: level / windowUs, resetAfterMs: Number(ceilDiv(full - level, quota * 1000n)), retryAfterMs };
    },
  };
}

function ceilDiv(a: bigint, b: bigint): bigint {
  return (a + b - 1n) / b;
}

const windows = fc.oneof(fc.constantFrom(1000, 1001, 60_000, 3_600_000, 86_400_000, 315_360_000_000), fc.integer({ min: 1000, max: 1e10 }));
const smallQuotas = fc.oneof(
  fc.bigInt(1n, 20n),
  fc.bigInt(1n, 100_000n),
  fc.bigInt(1n, 2n ** 52n),
  fc.constantFrom(3n, 7n, 1000n, 2n ** 52n),
);
const hugeQuotas = fc.oneof(fc.bigInt(2n ** 52n + 1n, 2n ** 63n - 1n), fc.constantFrom(2n ** 52n + 1n, 2n ** 53n + 1n, 2n ** 63n - 1n));

/** Costs and waits on the scale of the policy, so that runs are near the boundary between admitted and refused. */
function runs(quotas: fc.Arbitrary<bigint>) {
  const fractions = fc.oneof(fc.constantFrom(0, 0.1, 1 / 3, 0.5, 0.999, 1, 1.001), fc.double({ min: 0, max: 1.2, noNaN: true }));
  const waits = fc.oneof(fc.constantFrom(0, 1, 2, 1000), fc.double({ min: 0, max: 1.5, noNaN: true }));
  const step = fc.record({ wait: waits, fraction: fractions, single: fc.boolean() });
  return fc
    .record({ quota: quotas, windowMs: windows, steps: fc.array(step, { minLength: 1, maxLength: 60 }) })
    .map(({ steps, ...policy }) => {
      let nowUs = 1_764_000_000_000_000;
      const takes = steps.map(({ wait, fraction, single }) => {
        // Whole numbers are microseconds, the rest are parts of a window.
        nowUs += Number.isInteger(wait) ? wait : Math.floor(wait * policy.windowMs * 1000);
        return { nowUs, cost: single ? 1 : Math.floor(fraction * Number(policy.quota)) };
      });
      return { policy, takes };
    });
}

describe("against a bucket in exact fractions", () => {
  test("every answer is the same, to the unit and the millisecond", () => {
    fc.assert(
      fc.property(runs(smallQuotas), ({ policy, takes }) => {
        const [limit, bucket] = [limitOf(policy), bucketOf(policy)];
        for (const { nowUs, cost } of takes) expect(limit.take(nowUs, cost)).toEqual(bucket.take(nowUs, cost));
      }),
      { numRuns: runCount(1000) },
    );
  });

  test("above 2^52 units per window it never admits more, and at most one part in 2^51 less per take", () => {
    fc.assert(
      fc.property(runs(hugeQuotas), ({ policy, takes }) => {
        const [limit, bucket] = [limitOf(policy), bucketOf(policy)];
        for (const [index, { nowUs, cost }] of takes.entries()) {
          const [ours, exact] = [limit.take(nowUs, cost), bucket.take(nowUs, cost)];
          const shortBy = exact.remaining - ours.remaining + (ours.admitted === exact.admitted ? 0n : BigInt(cost));
          expect(shortBy).toBeGreaterThanOrEqual(0n);
          expect(shortBy).toBeLessThanOrEqual(1n + (BigInt(index + 1) * policy.quota) / 2n ** 51n);
          // From here on they would differ by a whole cost.
          if (ours.admitted !== exact.admitted) {
            expect(exact.admitted).toBe(true);
            return;
          }
        }
      }),
      { numRuns: 1000 },
    );
  });
});

test("any span t admits at most quota + t x quota / window", () => {
  fc.assert(
    fc.property(runs(fc.oneof(smallQuotas, hugeQuotas)), ({ policy, takes }) => {
      const limit = limitOf(policy);
      const admitted = takes.filter(({ nowUs, cost }) => limit.take(nowUs, cost).admitted);
      const windowUs = BigInt(policy.windowMs) * 1000n;
      for (let first = 0; first < admitted.length; first += 1) {
        let units = 0n;
        for (const { nowUs, cost } of admitted.slice(first)) {
          units += BigInt(cost);
          const spanUs = BigInt(nowUs - (admitted[first]?.nowUs ?? 0));
          expect(units * windowUs).toBeLessThanOrEqual(policy.quota * (windowUs + spanUs));
        }
      }
    }),
    { numRuns: 500 },
  );
});

test("a caller that respects the rate is never refused, however long it runs", () => {
  // Three units in 1 s: 333333 1/3 us each. Whole microseconds alone would drift.
  const limit = limitOf({ quota: 3n, windowMs: 1000 });
  for (let taken = 0; taken < 3; taken += 1) expect(limit.take(0, 1).admitted).toBe(true);
  for (let unit = 1; unit <= 10_000; unit += 1) {
    const owedUs = Math.ceil((unit * 1_000_000) / 3);
    expect(limit.take(owedUs - 1, 1)).toMatchObject({ admitted: false, remaining: 0n, retryAfterMs: 1 });
    expect(limit.take(owedUs, 1).admitted).toBe(true);
  }
});

test("a cost of 0 takes nothing, and more than the quota is never admitted", () => {
  const limit = limitOf({ quota: 5n, windowMs: 60_000 });
  expect(limit.take(0, 6)).toEqual({ admitted: false, remaining: 5n, resetAfterMs: 0, retryAfterMs: null });
  expect(limit.take(0, 5)).toEqual({ admitted: true, remaining: 0n, resetAfterMs: 60_000, retryAfterMs: 0 });
  expect(limit.take(0, 0)).toEqual({ admitted: true, remaining: 0n, resetAfterMs: 60_000, retryAfterMs: 0 });
  expect(limit.take(0, 1)).toEqual({ admitted: false, remaining: 0n, resetAfterMs: 60_000, retryAfterMs: 12_000 });
  expect(limit.take(12_000_000, 2)).toEqual({ admitted: false, remaining: 1n, resetAfterMs: 48_000, retryAfterMs: 12_000 });
});

test("after a clock was set back, the debt is at most one window", () => {
  const limit = limitOf({ quota: 5n, windowMs: 60_000 });
  limit.take(3_600_000_000, 5);
  expect(limit.take(0, 1)).toMatchObject({ admitted: false, resetAfterMs: 60_000 });
  expect(limit.take(12_000_000, 1)).toMatchObject({ admitted: false, retryAfterMs: 12_000 });
});

test("under another policy spent units stay spent", () => {
  const rateWith = (quota: bigint, windowMs: number) => rateOf({ quota, windowMs, unit: "requests" });
  const hourly = rateWith(1000n, 3_600_000);
  const left = (quota: bigint, windowMs: number) => {
    const rate = rateWith(quota, windowMs);
    return takenOf(rate, noDebt, true, convert(priceOf(hourly, 300), hourly, rate)).remaining;
  };
  expect([left(2000n, 3_600_000), left(1000n, 60_000), left(400n, 86_400_000), left(300n, 1000), left(100n, 3_600_000)]).toEqual([
    1700n,
    700n,
    100n,
    0n,
    0n,
  ]);
  expect(convert(noDebt, hourly, rateWith(2n ** 63n - 1n, 1000))).toEqual(noDebt);
});

test("only requests are counted", () => {
  expect(["requests", "content-bytes", "concurrent-requests"].map((unit) => isEnforced({ quota: 1n, windowMs: 1000, unit }))).toEqual([
    true,
    false,
    false,
  ]);
  expect(isEnforced(null)).toBe(false);
});
