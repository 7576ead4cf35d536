import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { createPageTokens, type ListScope } from "../../src/core/page-token.ts";

const current = "current-secret-0123456789-0123456789";
const retired = "retired-secret-0123456789-0123456789";
const tokens = createPageTokens({ current, retired: [] }, randomBytes);
const scope: ListScope = { tenant: "default", kind: "issued", filter: { actorId: "u" } };
const nowMs = 1000;

describe("page tokens", () => {
  test("contain an id that only we can read", () => {
    const token = tokens.seal(scope, "01HQZX9VYQKJB8XQZQXQZQXQXQ");
    expect(tokens.open(scope, token, nowMs)).toBe("01HQZX9VYQKJB8XQZQXQZQXQXQ");
    expect(token).toMatch(/^[\w-]+$/);
    expect(Buffer.from(token, "base64url").toString("latin1")).not.toContain("01HQ");
  });

  test.each<[string, ListScope]>([
    ["tenant", { ...scope, tenant: "other" }],
    ["kind", { ...scope, kind: "imported" }],
    ["actor", { ...scope, filter: { actorId: "v" } }],
    ["status", { ...scope, filter: { actorId: "u", status: "active" } }],
    ["filter", { ...scope, filter: {} }],
    ["scope", { ...scope, filter: { actorId: "u", scopes: ["a", "b"] } }],
    ["list", { tenant: "default", kind: "audit_event", filter: { caller: "u" } }],
  ])("are refused under another %s", (_what, other) => {
    expect(() => tokens.open(other, tokens.seal(scope, "x"), nowMs)).toThrow(/page_token/);
  });

  test("are refused when tampered with, cut off or made up", () => {
    const token = tokens.seal(scope, "01HQZX9VYQKJB8XQZQXQZQXQXQ");
    for (let index = 0; index < token.length - 1; index += 1) {
      const damaged = token.slice(0, index) + (token[index] === "A" ? "B" : "A") + token.slice(index + 1);
      expect(() => tokens.open(scope, damaged, nowMs)).toThrow(/page_token/);
    }
    for (const made of ["", "A", token.slice(0, -4), "not base64 at all!", "A".repeat(200)]) {
      expect(() => tokens.open(scope, made, nowMs)).toThrow(/page_token/);
    }
  });

  test("of a retired secret are valid until it expires", () => {
    const token = createPageTokens({ current: retired, retired: [] }, randomBytes).seal(scope, "x");
    const later = createPageTokens({ current, retired: [{ secret: retired, expireTimeMs: 2000 }] }, randomBytes);
    expect(later.open(scope, token, 1999)).toBe("x");
    expect(() => later.open(scope, token, 2000)).toThrow(/page_token/);
  });
});
