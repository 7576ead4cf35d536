import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RateLimitPolicy } from "../../src/core/key.ts";
import type { Taken } from "../../src/core/rate-limit.ts";
import type { Limit, RateLimiter } from "../../src/ports/rate-limiter.ts";

export interface OpenRateLimiters {
  /** Opens the limit as another process. */
  open(): Promise<RateLimiter>;
  /** Stops the servers and closes everything that was opened. */
  dispose(): Promise<void>;
}

export function policyOf(quota: bigint, windowMs: number): RateLimitPolicy {
  return { quota, windowMs, unit: "requests" };
}

const hourMs = 3_600_000;

/** The contract of every rate limiter: the doc comments of src/ports/rate-limiter.ts as tests, on a clock that cannot be moved. */
export function describeRateLimiter(name: string, start: () => Promise<OpenRateLimiters>): void {
  describe(`rate limiter: ${name}`, () => {
    const tenant = "default";
    let servers: OpenRateLimiters;
    let ours: RateLimiter;
    let other: RateLimiter;
    beforeAll(async () => {
      servers = await start();
      ours = await servers.open();
      other = await servers.open();
    });
    afterAll(() => servers?.dispose());

    const takeAll = (count: number, policy: RateLimitPolicy, keyId: string, limiters = [ours]): Promise<Taken[]> =>
      Promise.all(Array.from({ length: count }, (_, index) => limiters[index % limiters.length]?.take(tenant, keyId, policy, 1) as Taken));
    const admittedOf = (answers: readonly Taken[]) => answers.filter(({ admitted }) => admitted).length;

    test("a new key has its whole quota, and each take returns what is left", async () => {
      const [keyId, policy] = [randomUUID(), policyOf(10n, hourMs)];
      expect(await ours.take(tenant, keyId, policy, 0)).toEqual({ admitted: true, remaining: 10n, resetAfterMs: 0, retryAfterMs: 0 });
      expect(await ours.take(tenant, keyId, policy, 1)).toEqual({ admitted: true, remaining: 9n, resetAfterMs: 360_000, retryAfterMs: 0 });
      const four = await other.take(tenant, keyId, policy, 4);
      expect(four).toMatchObject({ admitted: true, remaining: 5n, retryAfterMs: 0 });
      expect(four.resetAfterMs / 5).toBeCloseTo(360_000, -4);
    });

    test("a cost above the rest is refused completely, takes nothing, and is told when to retry", async () => {
      const [keyId, policy] = [randomUUID(), policyOf(10n, hourMs)];
      await ours.take(tenant, keyId, policy, 8);
      const refused = await ours.take(tenant, keyId, policy, 3);
      expect(refused).toMatchObject({ admitted: false, remaining: 2n });
      expect(refused.retryAfterMs).toBeGreaterThan(350_000);
      expect(refused.retryAfterMs).toBeLessThanOrEqual(360_000);
      expect(await ours.take(tenant, keyId, policy, 11)).toMatchObject({ admitted: false, remaining: 2n, retryAfterMs: null });
      expect(await other.take(tenant, keyId, policy, 2)).toMatchObject({ admitted: true, remaining: 0n });
      expect(await ours.take(tenant, keyId, policy, 0)).toMatchObject({ admitted: true, remaining: 0n });
    });

    test("concurrent takes are admitted up to exactly the quota, in the order in which they began", async () => {
      const [keyId, policy] = [randomUUID(), policyOf(100n, 10 * hourMs)];
      const answers = await takeAll(300, policy, keyId, [ours, other]);
      expect(admittedOf(answers)).toBe(100);
      const mine = (await takeAll(10, policyOf(5n, hourMs), randomUUID())).map(({ admitted, remaining }) => [admitted, remaining]);
      expect(mine).toEqual([4n, 3n, 2n, 1n, 0n, 0n, 0n, 0n, 0n, 0n].map((left, index) => [index < 5, left]));
    });

    test("costs of all sizes are counted exactly, whatever a unit's time is", async () => {
      // Units of more than an hour, so that none is refilled while the test runs.
      const policies = fc
        .integer({ min: 1, max: 80_000 })
        .chain((quota) => fc.integer({ min: quota * hourMs, max: 315_360_000_000 }).map((windowMs) => policyOf(BigInt(quota), windowMs)));
      const shares = fc.array(fc.double({ min: 0, max: 0.4, noNaN: true }), { minLength: 1, maxLength: 12 });
      await fc.assert(
        fc.asyncProperty(policies, shares, async (policy, parts) => {
          const keyId = randomUUID();
          let left = policy.quota;
          for (const [index, part] of parts.entries()) {
            const cost = Math.floor(part * Number(policy.quota));
            const admitted = BigInt(cost) <= left;
            if (admitted) left -= BigInt(cost);
            const taken = await [ours, other][index % 2]?.take(tenant, keyId, policy, cost);
            expect([taken?.admitted, taken?.remaining]).toEqual([admitted, left]);
          }
        }),
        { numRuns: 100 },
      );
    });

    describe("takes from several limits", () => {
      const pair = (small: bigint, large: bigint) => {
        const tag = `{${randomUUID()}}`;
        return [
          { id: `${tag}small`, policy: policyOf(small, 10 * hourMs) },
          { id: `${tag}large`, policy: policyOf(large, 10 * hourMs) },
        ] as const;
      };
      const leftOf = async (limits: readonly Limit[]) => (await other.takeAll(tenant, limits, 0)).map(({ remaining }) => remaining);

      test("take from all limits or from none, and report which refused", async () => {
        const limits = pair(3n, 5n);
        expect(await ours.takeAll(tenant, limits, 2)).toMatchObject([
          { admitted: true, remaining: 1n, retryAfterMs: 0 },
          { admitted: true, remaining: 3n, retryAfterMs: 0 },
        ]);
        const refused = await other.takeAll(tenant, limits, 2);
        expect(refused).toMatchObject([
          { admitted: false, remaining: 1n },
          { admitted: true, remaining: 3n },
        ]);
        expect(refused[0]?.retryAfterMs).toBeGreaterThan(0);
        expect(await ours.takeAll(tenant, limits, 6)).toMatchObject([
          { admitted: false, retryAfterMs: null },
          { admitted: false, retryAfterMs: null },
        ]);
        expect(await leftOf(limits)).toEqual([1n, 3n]);
      });

      test("use the same limits as single takes", async () => {
        const [small, large] = pair(3n, 5n);
        await ours.take(tenant, large.id, large.policy, 4);
        expect((await other.takeAll(tenant, [small, large], 2)).map(({ admitted }) => admitted)).toEqual([true, false]);
        expect(await ours.take(tenant, small.id, small.policy, 3)).toMatchObject({ admitted: true, remaining: 0n });
        expect(await leftOf([small, large])).toEqual([0n, 1n]);
      });

      test("of concurrent takes of twenty keys with one shared limit, exactly its quota is admitted and charged to the keys", async () => {
        const tag = `{${randomUUID()}}`;
        const shared = { id: tag, policy: policyOf(100n, 10 * hourMs) };
        const keys = Array.from({ length: 20 }, (_, key) => ({ id: `${tag}key ${key}`, policy: policyOf(7n, 10 * hourMs) }));
        const rounds = Array.from({ length: 200 }, (_, take) =>
          [ours, other][take % 2]?.takeAll(tenant, [keys[take % 20] as Limit, shared], 1),
        );
        const answers = (await Promise.all(rounds)) as (readonly Taken[])[];
        expect(answers.filter((both) => both.every(({ admitted }) => admitted))).toHaveLength(100);
        const left = await Promise.all(keys.map(async (key) => Number((await leftOf([key]))[0])));
        expect(left.reduce((sum, each) => sum + 7 - each, 0)).toBe(100);
        expect(await leftOf([shared])).toEqual([0n]);
      });
    });

    test("spent units are refilled at the rate", async () => {
      const [keyId, policy] = [randomUUID(), policyOf(50n, 1000)];
      const begunMs = performance.now();
      let admitted = admittedOf(await takeAll(60, policy, keyId));
      for (let round = 0; round < 6; round += 1) {
        // Redis refills by its own clock.
        await sleep(100);
        admitted += admittedOf(await takeAll(60, policy, keyId, [other]));
      }
      const spanMs = performance.now() - begunMs;
      expect(admitted).toBeLessThanOrEqual(50 + (50 * spanMs) / 1000);
      expect(admitted).toBeGreaterThanOrEqual(50 + 25);
      await expect.poll(() => ours.take(tenant, keyId, policy, 0), { timeout: 10_000 }).toMatchObject({ remaining: 50n, resetAfterMs: 0 });
    });

    test("keys and tenants have separate limits", async () => {
      const [keyId, policy] = [randomUUID(), policyOf(1n, hourMs)];
      await ours.take(tenant, keyId, policy, 1);
      expect(await ours.take(tenant, keyId, policy, 1)).toMatchObject({ admitted: false });
      expect(await ours.take("other: 100%", keyId, policy, 1)).toMatchObject({ admitted: true });
      expect(await ours.take(tenant, randomUUID(), policy, 1)).toMatchObject({ admitted: true });
    });

    test("under a new policy spent units stay spent, up to the new quota", async () => {
      const keyId = randomUUID();
      await ours.take(tenant, keyId, policyOf(1000n, 10 * hourMs), 300);
      const left = async (quota: bigint, windowMs: number) =>
        Number((await other.take(tenant, keyId, policyOf(quota, windowMs), 0)).remaining);
      expect(await left(2000n, 10 * hourMs)).toBeCloseTo(1700, -1);
      expect(await left(400n, hourMs)).toBeCloseTo(100, -1);
      expect(await left(100n, 10 * hourMs)).toBe(0);
      // It now owes one window of the last policy, not three.
      expect((await ours.take(tenant, keyId, policyOf(100n, 10 * hourMs), 1)).retryAfterMs).toBeLessThanOrEqual(hourMs / 10);
    });

    test("a debt shrinks at the rate of a new policy, even if that admits nothing at first", async () => {
      const [keyId, faster] = [randomUUID(), policyOf(5n, 1000)];
      await ours.take(tenant, keyId, policyOf(5n, hourMs), 5);
      expect(await other.take(tenant, keyId, faster, 1)).toMatchObject({ admitted: false });
      await expect.poll(() => ours.take(tenant, keyId, faster, 1), { timeout: 10_000 }).toMatchObject({ admitted: true });
    });

    describe("policies that alternate, as those of the keys of one chain of rotations", () => {
      test("give no unit twice, whether takes under the lower quota are refused or admitted", async () => {
        const [keyId, high, low] = [randomUUID(), policyOf(20n, 100 * hourMs), policyOf(4n, 100 * hourMs)];
        await takeAll(20, high, keyId);
        for (let round = 0; round < 3; round += 1) {
          expect(await ours.take(tenant, keyId, low, round % 2)).toMatchObject({ admitted: round % 2 === 0, remaining: 0n });
          expect(admittedOf(await takeAll(3, high, keyId, [other]))).toBe(0);
        }
      });

      test("are counted together, and each take counts under all of them", async () => {
        const policies = [policyOf(40n, 400 * hourMs), policyOf(9n, 400 * hourMs), policyOf(17n, 34 * hourMs), policyOf(80n, 800 * hourMs)];
        const takes = fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 6 })), { minLength: 10, maxLength: 30 });
        await fc.assert(
          fc.asyncProperty(takes, async (costs) => {
            const keyId = randomUUID();
            // Nothing is refilled while the test runs, so spent units say all. A new policy begins with those of the one before it.
            const spent = new Map<number, number>();
            let before = 0;
            for (const [turn, [kind, cost]] of costs.entries()) {
              const policy = policies[kind] as RateLimitPolicy;
              const held = Math.min(Number(policy.quota), spent.get(kind) ?? spent.get(before) ?? 0);
              const taken = await [ours, other][turn % 2]?.take(tenant, keyId, policy, cost);
              const left = Number(policy.quota) - held - cost;
              // A converted debt is rounded up, so the very last unit may be a moment late.
              if (left < 0 || left > 0) expect([turn, taken?.admitted]).toEqual([turn, left > 0]);
              // A policy under which nothing is owed is forgotten, as a key that owes nothing is.
              if (held + cost > 0) spent.set(kind, held);
              if (taken?.admitted) for (const [each, sum] of spent) spent.set(each, Math.min(Number(policies[each]?.quota), sum + cost));
              before = kind;
            }
          }),
          { numRuns: 30 },
        );
      });

      test("forget none with many spent units, however many there are", async () => {
        const [keyId, high] = [randomUUID(), policyOf(20n, 100 * hourMs)];
        await takeAll(20, high, keyId);
        for (let quota = 1n; quota < 10n; quota += 1n) await other.take(tenant, keyId, policyOf(quota, 100 * hourMs), 1);
        expect(await ours.take(tenant, keyId, high, 1)).toMatchObject({ admitted: false });
      });

      test("keep the old limit if a policy returns, and give each its own rate", async () => {
        const [keyId, slow, fast] = [randomUUID(), policyOf(5n, hourMs), policyOf(5n, 1000)];
        await ours.take(tenant, keyId, slow, 5);
        await ours.take(tenant, keyId, fast, 0);
        await expect.poll(async () => (await other.take(tenant, keyId, fast, 1)).admitted, { timeout: 10_000 }).toBe(true);
        expect(await ours.take(tenant, keyId, slow, 1)).toMatchObject({ admitted: false, remaining: 0n });
        await expect.poll(async () => (await other.take(tenant, keyId, fast, 1)).admitted, { timeout: 10_000 }).toBe(true);
      });
    });

    test.each([
      [1n, 1000],
      [1n, 315_360_000_000],
      [3n, 315_360_000_000],
      [2n ** 52n, 1000],
      [2n ** 53n + 1n, 315_360_000_000],
      [2n ** 63n - 1n, 1000],
      [2n ** 63n - 1n, 315_360_000_000],
    ])("exact at the limits of a policy: %s in %i ms", async (quota, windowMs) => {
      const [keyId, policy] = [randomUUID(), policyOf(quota, windowMs)];
      const before = await ours.take(tenant, keyId, policy, 0);
      expect(before.remaining).toBe(quota);
      const first = await ours.take(tenant, keyId, policy, 1);
      expect(first.admitted).toBe(true);
      // Huge quotas are complete again within a microsecond, or are rounded by one.
      expect(quota - first.remaining).toBeLessThanOrEqual(2n);
      expect(first.resetAfterMs).toBe(Math.ceil(windowMs / Number(quota)));
      if (quota === 1n) expect(await ours.take(tenant, keyId, policy, 1)).toMatchObject({ admitted: false, remaining: 0n });
    });
  });
}
