import { expect, test } from "vitest";
import { type ClaimRule, grantsOf } from "../../src/core/claim-rules.ts";

const when = [{ claim: "sub", test: "equals", values: ["a"] }] as const;
const rule: ClaimRule = { when, roles: ["auditor"], tenants: null, scopeCeiling: null };

test("each matching rule grants its roles for its own tenants, or for the default one", () => {
  const own = { roles: ["auditor"], tenants: ["default"], scopeCeiling: null };
  expect(grantsOf([rule], { sub: "a" }, "default")).toEqual([own]);
  const other: ClaimRule = { ...rule, roles: ["issuer"], tenants: ["x"], scopeCeiling: ["read"] };
  const unmatched: ClaimRule = { ...rule, when: [{ claim: "sub", test: "equals", values: ["b"] }], tenants: "*" };
  const expected = [own, { roles: ["issuer"], tenants: ["x"], scopeCeiling: ["read"] }];
  expect(grantsOf([rule, unmatched, other], { sub: "a" }, "default")).toEqual(expected);
});

test("no matching rule: no grants", () => {
  expect(grantsOf([rule], { sub: "b" }, "default")).toEqual([]);
  expect(grantsOf([rule], {}, "default")).toEqual([]);
  expect(grantsOf([{ ...rule, when: [...when, { claim: "x", test: "equals", values: ["y"] }] }], { sub: "a" }, "default")).toEqual([]);
});

test("tenants of a claim must be names, and a rule without any does not match", () => {
  const byClaim: ClaimRule = { ...rule, tenants: { claim: "org" } };
  expect(grantsOf([byClaim], { sub: "a", org: ["acme", "*", "NO"] }, "default")).toEqual([
    { roles: ["auditor"], tenants: ["acme"], scopeCeiling: null },
  ]);
  expect(grantsOf([byClaim], { sub: "a", org: "*" }, "default")).toEqual([]);
  expect(grantsOf([byClaim], { sub: "a" }, "default")).toEqual([]);
});

test.each([
  ["equals", "g", { g: ["x", "y"] }, "y", true],
  ["equals", "g", { g: "x y" }, "y", false],
  ["contains", "g", { g: "x y" }, "y", true],
  ["contains", "g", { g: "xy" }, "y", false],
  // Anybody may have named a group so.
  ["contains", "g", { g: ["x y"] }, "y", false],
  ["contains", "g", { g: ["x", "y"] }, "y", true],
  ["contains", "g", { g: ["x y"] }, "x y", true],
  ["equals", "g", { g: 42 }, "42", true],
  ["equals", "g", JSON.parse('{"g":9007199254740993}'), "9007199254740992", false],
  ["prefix", "g", { g: 1e30 }, "1e", false],
  ["prefix", "g", { g: "yes" }, "y", true],
  ["prefix", "g", { g: "ayes" }, "y", false],
  ["equals", "a.b.c", { a: { b: { c: true } } }, "true", true],
  ["equals", "kubernetes.io.namespace", { "kubernetes.io": { namespace: "y" } }, "y", true],
  ["equals", "a.b.c", { "a.b": { c: "y" }, a: { "b.c": "x", b: { c: "x" } } }, "y", true],
  ["equals", "a.b.c", { "a.b": { c: "x" }, a: { "b.c": "y", b: { c: "y" } } }, "y", false],
  ["equals", "a.b.c", { "a.b": { d: "x" }, a: { b: { c: "y" } } }, "y", true],
  ["equals", "a.b", { a: null }, "y", false],
  ["equals", "a.0", { a: ["y"] }, "y", false],
  ["equals", "__proto__", {}, "y", false],
  ["equals", "g", { g: { y: 1 } }, "y", false],
] as const)("the test %s of claim %s on %j, with the value %j, passes: %s", (kind, claim, claims, value, expected) => {
  const grants = grantsOf([{ ...rule, when: [{ claim, test: kind, values: [value] }] }], claims as never, "default");
  expect(grants.length > 0).toBe(expected);
});
