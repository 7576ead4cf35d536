import { expect, test } from "vitest";
import { checkRateLimit } from "../../src/core/scope-ceiling.ts";

test("a rate limit in another unit counts as lifted", () => {
  const old = { quota: 10n, windowMs: 1000, unit: "requests" };
  expect(() => checkRateLimit([], old, { ...old, unit: "bytes" }, "rate_limit_policy")).toThrow("rate_limit_policy: must not lift");
  expect(() => checkRateLimit([], old, { ...old, quota: 5n }, "rate_limit_policy")).not.toThrow();
  expect(() => checkRateLimit(null, old, null, "rate_limit_policy")).not.toThrow();
});
