import { describe, expect, test } from "vitest";
import { parseAddress } from "../../src/core/address.ts";
import type { KeyRecord } from "../../src/core/key.ts";
import { type Circumstances, decide } from "../../src/core/verdict.ts";
import { keyRecord } from "../support/key-record.ts";

const nowMs = 1_000_000;
const circumstances: Circumstances = { nowMs, endUserAddress: () => parseAddress("10.0.0.1"), requiredScopes: [] };
const revocation = { reason: "key_compromise", description: "" } as const;

describe("decide", () => {
  test.each<[string, Partial<KeyRecord>, Partial<Circumstances>, string]>([
    ["an active key", {}, {}, "valid"],
    ["a key just before its expiry", { expireTimeMs: nowMs + 1 }, {}, "valid"],
    ["a key at its expiry", { expireTimeMs: nowMs }, {}, "expired"],
    ["a revoked key", { revocation }, {}, "revoked"],
    ["a revoked key that expired too", { revocation, expireTimeMs: 1 }, {}, "revoked"],
    ["an address in the ranges", { allowedCidrs: ["192.0.2.0/24", "10.0.0.0/8"] }, {}, "valid"],
    ["an address in none of the ranges", { allowedCidrs: ["192.0.2.0/24"] }, {}, "ip_not_allowed"],
    ["an unknown address and no ranges", {}, { endUserAddress: () => null }, "valid"],
    ["an unknown address and ranges", { allowedCidrs: ["0.0.0.0/0"] }, { endUserAddress: () => null }, "ip_not_allowed"],
    ["all required scopes", { scopes: ["a", "b", "c"] }, { requiredScopes: ["c", "a"] }, "valid"],
    ["one required scope missing", { scopes: ["a"] }, { requiredScopes: ["a", "b"] }, "insufficient_scope"],
    ["an expired key, without reading the address", { expireTimeMs: 1, allowedCidrs: ["192.0.2.0/24"] }, {}, "expired"],
  ])("%s: %s", (_what, record, extra, expected) => {
    const verdict = decide(keyRecord(record), { ...circumstances, ...extra });
    expect(verdict.isValid ? "valid" : verdict.code).toBe(expected);
  });
});
