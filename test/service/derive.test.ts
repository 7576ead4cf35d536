import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import type { AuditEvent } from "../../src/core/audit.ts";
import { createCredentials, digestOf } from "../../src/core/credential.ts";
import { deriveSubkeys } from "../../src/core/subkeys.ts";
import { unchangedTenant } from "../../src/core/tenant.ts";
import { readJwkSets } from "../../src/core/token/jwk-set.ts";
import { createTokens } from "../../src/core/token/tokens.ts";
import { createUlid } from "../../src/core/ulid.ts";
import { deriveToken } from "../../src/service/derive.ts";
import { createLimits } from "../../src/service/limits.ts";
import { jwkSet, privateJwk } from "../support/jwks.ts";
import { keyRecord } from "../support/key-record.ts";
import { noLimits } from "../support/no-limits.ts";

const nowMs = 1_800_000_000_500;
const secrets = { current: "s".repeat(32), retired: [] };
const credentials = createCredentials(secrets, { secret: "kw", public: "kw_pub", retired: [] }, randomBytes);
const keys = await readJwkSets([jwkSet(await privateJwk())]);
const tokens = createTokens({ issuer: "https://keys.example", keys: () => keys, macaroonKeys: deriveSubkeys(secrets, "macaroon-root") });
const keyId = createUlid(nowMs, randomBytes);
const secret = credentials.mint("default", keyId, "secret");
const record = keyRecord({ keyId, digest: digestOf(secret), scopes: ["read"], createTimeMs: nowMs });
const origin = { method: "AdminDeriveToken", caller: "gateway", clientAddress: "192.0.2.1", requestId: "r" };

async function derive(
  append: (events: readonly AuditEvent[]) => Promise<void>,
  algorithm: "jwt" | "macaroon",
  at = nowMs,
  key = record,
  tenant = unchangedTenant("default"),
) {
  const { derived } = await deriveToken(
    {
      store: { audit: { append: (_tenant, events) => append(events) } },
      credentials,
      tokens,
      reader: { read: async () => ({ record: key, outcome: "bypass" }) },
      clock: () => at,
      randomBytes,
      clockSkewMs: 0,
      tenantSettings: { of: () => tenant },
      settle: createLimits({ ...noLimits, usage: { record: () => {} }, clock: () => at }).settle,
    },
    "default",
    origin,
    { credential: secret, algorithm, ttlMs: null, scopes: [], customClaims: {}, ceiling: null, endUserAddress: () => null, guard, cost: 1 },
  );
  if (derived === null) throw new Error("no limit expected");
  return derived;
}

const guard = { admit() {}, count() {} };

test.each(["jwt", "macaroon"] as const)(
  "a %s is in the audit trail before anybody has it, with its key and without the token",
  async (algorithm) => {
    const events: AuditEvent[] = [];
    const { token } = await derive(async (more) => void events.push(...more), algorithm);
    expect(events).toMatchObject([{ ...origin, keyIds: [keyId], errorReason: null }]);
    expect(JSON.stringify(events)).not.toContain(token.slice(-20));
    await expect(derive(() => Promise.reject(new Error("no store")), algorithm)).rejects.toThrow("no store");
  },
);

test("a token is not older than its key and its tenant, even if the clock that made them is ahead", async () => {
  const issueTimeOf = async (key = record, tenant = unchangedTenant("acme")) =>
    (await derive(async () => {}, "jwt", nowMs - 5000, key, tenant)).facts.issueTimeMs;
  expect(await issueTimeOf()).toBe(Math.floor(nowMs / 1000) * 1000);
  const older = { ...record, createTimeMs: nowMs - 5000 };
  expect(await issueTimeOf(older, { ...unchangedTenant("acme"), createTimeMs: nowMs })).toBe(Math.floor(nowMs / 1000) * 1000);
});

test("no token is derived from a key that expires within the current second, because its end would be past", async () => {
  const endingIn = (ms: number) => derive(async () => {}, "jwt", nowMs, { ...record, expireTimeMs: nowMs + ms });
  await expect(endingIn(499)).rejects.toMatchObject({ reason: "KEY_NOT_ACTIVE", message: "the credential is about to expire" });
  expect((await endingIn(500)).facts.expireTimeMs).toBe(nowMs + 500);
});
