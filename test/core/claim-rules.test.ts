import { expect, test } from "vitest";
import { type ClaimRule, grantOf } from "../../src/core/claim-rules.ts";

const when = [{ claim: "sub", test: "equals", values: ["a"] }] as const;
const rule: ClaimRule = { when, roles: ["auditor"], tenants: null, scopeCeiling: null };

test("matching rules add up; without tenants the tenant is the default one", () => {
  expect(grantOf([rule], { sub: "a" }, "default")).toEqual({ roles: ["auditor"], tenants: ["default"], scopeCeiling: null });
  const other: ClaimRule = { ...rule, roles: ["issuer"], tenants: ["x"], scopeCeiling: ["read"] };
  expect(grantOf([rule, other], { sub: "a" }, "default")).toEqual({ roles: ["auditor", "issuer"], tenants: ["x"], scopeCeiling: ["read"] });
  expect(grantOf([rule, other, { ...rule, tenants: "*" }], { sub: "a" }, "default")?.tenants).toBe("*");
});

test("no matching rule: no grant", () => {
  expect(grantOf([rule], { sub: "b" }, "default")).toBeNull();
  expect(grantOf([rule], {}, "default")).toBeNull();
  expect(grantOf([{ ...rule, when: [...when, { claim: "x", test: "equals", values: ["y"] }] }], { sub: "a" }, "default")).toBeNull();
});

test("tenants of a claim must be names, and a rule without any does not match", () => {
  const byClaim: ClaimRule = { ...rule, tenants: { claim: "org" } };
  expect(grantOf([byClaim], { sub: "a", org: ["acme", "*", "NO"] }, "default")?.tenants).toEqual(["acme"]);
  expect(grantOf([byClaim], { sub: "a", org: "*" }, "default")).toBeNull();
  expect(grantOf([byClaim], { sub: "a" }, "default")).toBeNull();
});

test.each([
  ["equals", "g", { g: ["x", "y"] }, "y", true],
  ["equals", "g", { g: "x y" }, "y", false],
  ["contains", "g", { g: "x y" }, "y", true],
  ["contains", "g", { g: "xy" }, "y", false],
  ["prefix", "g", { g: "yes" }, "y", true],
  ["prefix", "g", { g: "ayes" }, "y", false],
  ["equals", "a.b.c", { a: { b: { c: true } } }, "true", true],
  ["equals", "kubernetes.io.namespace", { "kubernetes.io": { namespace: "y" } }, "y", true],
  ["equals", "__proto__", {}, "y", false],
  ["equals", "g", { g: { y: 1 } }, "y", false],
] as const)("%s of %s (%#)", (kind, claim, claims, value, expected) => {
  const grant = grantOf([{ ...rule, when: [{ claim, test: kind, values: [value] }] }], claims as never, "default");
  expect(grant !== null).toBe(expected);
});
