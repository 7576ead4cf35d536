import { expect, test } from "vitest";
import { Failure } from "../../src/error/failure.ts";
import { createBodyBudget } from "../../src/http/body-budget.ts";

const kibibyte = 1024;
const options = { maxBytes: 100 * kibibyte, maxAnonymousBytes: 20 * kibibyte, maxInflations: 2 };

const reasonOf = (act: () => void): string | undefined => {
  try {
    act();
  } catch (error) {
    return (error as Failure).reason;
  }
  return undefined;
};

test("refuses the newest body of callers without a token, but not those of others", () => {
  const budget = createBodyBudget(options);
  const first = budget.open(false);
  first.hold(15 * kibibyte);
  const second = budget.open(false);
  expect(reasonOf(() => second.hold(6 * kibibyte))).toBe("TOO_MANY_BODIES");
  second.hold(5 * kibibyte);
  const known = budget.open(true);
  known.hold(80 * kibibyte);
  expect(reasonOf(() => known.hold(81 * kibibyte))).toBe("TOO_MANY_BODIES");
  expect([budget.heldBytes(), budget.refusedCount()]).toEqual([100 * kibibyte, 2]);
});

test("one caller has half of the room, and others have the rest", () => {
  const budget = createBodyBudget(options);
  const openOf = (name: string) => budget.open(true, { isClosed: false, caller: { name } });
  const [first, second, other] = [openOf("a"), openOf("a"), openOf("b")];
  first.hold(30 * kibibyte);
  second.hold(20 * kibibyte);
  expect(reasonOf(() => second.hold(21 * kibibyte))).toBe("TOO_MANY_BODIES");
  other.hold(50 * kibibyte);
  first.release();
  other.release();
  second.hold(50 * kibibyte);
  expect(reasonOf(() => openOf("a").hold(2 * kibibyte))).toBe("TOO_MANY_BODIES");
  expect(budget.heldBytes()).toBe(50 * kibibyte);
});

test("always has room for the first KiB of a body", () => {
  const budget = createBodyBudget(options);
  budget.open(false).hold(20 * kibibyte);
  budget.open(true).hold(80 * kibibyte);
  budget.open(false).hold(kibibyte);
  expect(budget.heldBytes()).toBe(100 * kibibyte);
  expect(reasonOf(() => budget.open(true).hold(kibibyte + 1))).toBe("TOO_MANY_BODIES");
});

test("releases a body's bytes once, whatever was refused", () => {
  const budget = createBodyBudget(options);
  const [one, two] = [budget.open(false), budget.open(false)];
  one.hold(10 * kibibyte);
  two.hold(10 * kibibyte);
  expect(reasonOf(() => two.hold(11 * kibibyte))).toBe("TOO_MANY_BODIES");
  two.hold(5 * kibibyte);
  expect(budget.heldBytes()).toBe(15 * kibibyte);
  two.release();
  two.release();
  two.hold(20 * kibibyte);
  expect(budget.heldBytes()).toBe(10 * kibibyte);
  one.release();
  expect(budget.heldBytes()).toBe(0);
});

test("runs a maximum of inflations at once, in order, and skips those whose call has ended", async () => {
  const budget = createBodyBudget(options);
  const lease = budget.open(true);
  const ends: (() => void)[] = [];
  const begun: number[] = [];
  const work = (index: number) => () =>
    new Promise<number>((resolve) => {
      begun.push(index);
      ends.push(() => resolve(index));
    });
  const cancelled = budget.open(true);
  const [first, second] = [lease.inTurn(work(1)), lease.inTurn(work(2))];
  const late = cancelled.inTurn(work(3));
  const fourth = lease.inTurn(work(4));
  cancelled.cancel(new Failure("DEADLINE_EXCEEDED"));
  expect(begun).toEqual([1, 2]);
  ends[0]?.();
  expect(await first).toBe(1);
  await expect(late).rejects.toMatchObject({ reason: "DEADLINE_EXCEEDED" });
  ends[1]?.();
  expect(await second).toBe(2);
  ends[2]?.();
  expect(await fourth).toBe(4);
  expect(begun).toEqual([1, 2, 4]);
});

test("decodes at most so many long bodies at once, in the order in which they came", async () => {
  const budget = createBodyBudget({ ...options, maxLongDecodes: 2 });
  const begun: number[] = [];
  const finish: (() => void)[] = [];
  const decodes = [0, 1, 2].map((index) =>
    budget.open(true).decodeInTurns(async () => {
      begun.push(index);
      await new Promise<void>((resolve) => finish.push(resolve));
    }),
  );
  await new Promise(setImmediate);
  expect(begun).toEqual([0, 1]);
  finish[0]?.();
  await decodes[0];
  await new Promise(setImmediate);
  expect(begun).toEqual([0, 1, 2]);
  for (const resolve of finish) resolve();
  await Promise.all(decodes);
});

test("does not decode the body of a call that ended while it waited", async () => {
  const lease = createBodyBudget(options).open(true);
  lease.cancel(new Failure("DEADLINE_EXCEEDED"));
  await expect(lease.decodeInTurns(async () => "decoded")).rejects.toMatchObject({ reason: "DEADLINE_EXCEEDED" });
});
