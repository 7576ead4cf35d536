import { expect, test } from "vitest";
import { checkRateLimit } from "../../src/core/scope-ceiling.ts";

test("a rate limit in another unit counts as lifted", () => {
  const old = { quota: 10n, windowMs: 1000, unit: "requests" };
  expect(() => checkRateLimit([], old, { ...old, unit: "bytes" }, "rate_limit_policy")).toThrow("rate_limit_policy: must not lift");
  expect(() => checkRateLimit([], old, { ...old, quota: 5n }, "rate_limit_policy")).not.toThrow();
  expect(() => checkRateLimit(null, old, null, "rate_limit_policy")).not.toThrow();
});

test.each([
  ["more at once, though fewer over time", { quota: 20n, windowMs: 4000 }, true],
  ["as many at once, in less time", { quota: 10n, windowMs: 999 }, true],
  ["fewer at once, but more over time", { quota: 9n, windowMs: 500 }, true],
  ["as many at once, in more time", { quota: 10n, windowMs: 2000 }, false],
  ["the same rate with fewer at once", { quota: 5n, windowMs: 500 }, false],
])("a rate limit that admits %s", (_, wanted, isLifted) => {
  const unit = "requests";
  const check = () => checkRateLimit([], { quota: 10n, windowMs: 1000, unit }, { ...wanted, unit }, "rate_limit_policy");
  if (isLifted) expect(check).toThrow("must not lift");
  else expect(check).not.toThrow();
});
