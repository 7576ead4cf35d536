import { createHash } from "node:crypto";
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Api, faults, startApi } from "../support/api.ts";
import { clientKinds } from "../support/clients.ts";
import { derive } from "../support/derive.ts";

const compromised = "REVOCATION_REASON_KEY_COMPROMISE";
const anonymous = { token: null };
let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

test.each([compromised, "REVOCATION_REASON_AFFILIATION_CHANGED", "REVOCATION_REASON_SUPERSEDED"])("%s is accepted", async (reason) => {
  const { keyId, secret } = await api.issue();
  await api.verify({ credential: secret });
  await api.call("RevokeApiKey", { credential: secret, reason }, anonymous);
  expect(await api.get(keyId)).toMatchObject({ status: "KEY_STATUS_REVOKED", revocation_reason: reason });
  expect(await api.verify({ credential: secret })).toMatchObject({ error_code: "VERIFICATION_ERROR_REVOKED" });
});

test.each(["REVOCATION_REASON_PRIVILEGE_WITHDRAWN", "REVOCATION_REASON_UNSPECIFIED"])("%s is refused", async (reason) => {
  const { keyId, secret } = await api.issue();
  expect(faults(await api.refused("RevokeApiKey", { credential: secret, reason }, anonymous))).toEqual(["INVALID_ARGUMENT", "reason"]);
  expect(await api.get(keyId)).toMatchObject({ status: "KEY_STATUS_ACTIVE" });
});

test("a second revocation succeeds and keeps the first reason", async () => {
  const { keyId, secret } = await api.issue();
  for (const reason of [compromised, "REVOCATION_REASON_SUPERSEDED"])
    await api.call("RevokeApiKey", { credential: secret, reason }, anonymous);
  expect(await api.get(keyId)).toMatchObject({ revocation_reason: compromised });
});

test("the reason can be raised afterwards, and the audit trail shows who raised it", async () => {
  const { keyId, secret } = await api.issue();
  await api.call("AdminRotateIssuedApiKey", { key_id: keyId });
  for (const reason of [compromised, "REVOCATION_REASON_AFFILIATION_CHANGED"])
    await api.call("RevokeApiKey", { credential: secret, reason }, anonymous);
  expect(await api.get(keyId)).toMatchObject({ revocation_reason: compromised });
  const { audit_events } = await api.call("AdminListAuditEvents", { filter: `key_id="${keyId}" AND method="RevokeApiKey"` });
  expect((audit_events as JsonObject[]).map(({ revocation_reason }) => revocation_reason)).toEqual([compromised]);
});

test("the compromise of one key cannot be reported without limit, so that nobody can fill the audit trail", async () => {
  const { keyId, secret } = await api.issue();
  const revoke = () => api.call("RevokeApiKey", { credential: secret, reason: compromised }, anonymous);
  for (let call = 0; call <= 10; call += 1) await revoke();
  const refusal = await api.refused("RevokeApiKey", { credential: secret, reason: compromised }, anonymous);
  expect(refusal).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "TOO_MANY_CALLS" });
  expect(Number(refusal.headers.get("retry-after"))).toBeGreaterThan(0);
  const other = await api.issue();
  await api.call("RevokeApiKey", { credential: other.secret, reason: compromised }, anonymous);
  const { audit_events } = await api.call("AdminListAuditEvents", { filter: `key_id="${keyId}" AND method="RevokeApiKey"` });
  expect(audit_events).toHaveLength(11);
});

test("reports that are made at the same time are limited too, each alone and in a batch", async () => {
  const { keyId, secret } = await api.issue();
  const batch = { credentials: Array.from({ length: 50 }, () => secret), reason: compromised };
  const reports = Array.from({ length: 50 }, () => api.call("RevokeApiKey", { credential: secret, reason: compromised }, anonymous));
  await Promise.allSettled([...reports, api.call("BatchSelfRevoke", batch, anonymous)]);
  expect(await api.get(keyId)).toMatchObject({ revocation_reason: compromised });
  const { audit_events } = await api.call("AdminListAuditEvents", { filter: `key_id="${keyId}"`, page_size: 1000 });
  // The issue, the revocation and ten repeated reports, and one more for each six seconds that this took.
  expect((audit_events as JsonObject[]).length).toBeLessThan(30);
});

describe("a public key proves nothing", () => {
  const visibility = "KEY_VISIBILITY_PUBLIC";
  const refusal = { code: "PERMISSION_DENIED", reason: "PUBLIC_KEY_NOT_PROOF" };

  test.each(clientKinds)("an issued one, over $name", async ({ open }) => {
    const { keyId, secret } = await api.issue({ visibility });
    expect(secret).toMatch(/^kw_pub_/);
    await using client = open(api.server.url, api.server.adminToken);
    const reply = await client.call("RevokeApiKey", { credential: secret, reason: compromised }, anonymous);
    expect(reply).toMatchObject({ ok: false, ...refusal });
    expect(await api.verify({ credential: secret })).toMatchObject({ is_valid: true });
    expect(await api.get(keyId)).toMatchObject({ status: "KEY_STATUS_ACTIVE" });
  });

  test("one made public by a rotation", async () => {
    const { keyId } = await api.issue();
    const { secret } = await api.call("AdminRotateIssuedApiKey", { key_id: keyId, visibility });
    const request = { credential: String(secret), reason: compromised };
    expect(await api.refused("RevokeApiKey", request, anonymous)).toMatchObject(refusal);
  });

  test("an imported one, raw or by its digest", async () => {
    for (const way of ["raw_key", "raw_key_sha256"]) {
      const credential = `pk_live_${crypto.randomUUID()}`;
      const key = way === "raw_key" ? credential : createHash("sha256").update(credential).digest("hex");
      await api.call("AdminImportApiKey", { [way]: key, name: "x", actor_id: "x", visibility });
      expect(await api.refused("RevokeApiKey", { credential, reason: compromised }, anonymous)).toMatchObject(refusal);
      expect(await api.verify({ credential })).toMatchObject({ is_valid: true });
    }
  });

  test("also not to raise the reason of a revoked one; an administrator can do both", async () => {
    const { keyId, secret } = await api.issue({ visibility });
    await api.call("AdminRevokeApiKey", { key_id: keyId, reason: "REVOCATION_REASON_SUPERSEDED" });
    expect(await api.refused("RevokeApiKey", { credential: secret, reason: compromised }, anonymous)).toMatchObject(refusal);
    expect(await api.get(keyId)).toMatchObject({ revocation_reason: "REVOCATION_REASON_SUPERSEDED" });
    await api.call("AdminRevokeApiKey", { key_id: keyId, reason: compromised });
    expect(await api.get(keyId)).toMatchObject({ revocation_reason: compromised });
  });

  test("a token derived from one proves nothing either", async () => {
    const { secret } = await api.issue({ visibility });
    for (const algorithm of ["TOKEN_ALGORITHM_JWT", "TOKEN_ALGORITHM_MACAROON"]) {
      const { token } = await derive(api, secret, { algorithm });
      const refused = await api.refused("RevokeApiKey", { credential: token, reason: compromised }, anonymous);
      expect(faults(refused)).toEqual(["INVALID_ARGUMENT", "credential"]);
    }
    expect(await api.verify({ credential: secret })).toMatchObject({ is_valid: true });
  });
});

describe("only the whole secret proves possession", () => {
  test("not the key id, not a damaged secret, not one with another key's id; all are refused in the same way", async () => {
    const { keyId, secret } = await api.issue();
    const other = await api.issue();
    const last = secret.at(-1) === "0" ? "1" : "0";
    const pretenders = [keyId, secret.slice(0, -1), `${secret.slice(0, -1)}${last}`, secret.replace(keyId, other.keyId), `${secret} `, "x"];
    const texts = new Set<string>();
    for (const credential of pretenders) {
      const refusal = await api.refused("RevokeApiKey", { credential, reason: compromised }, anonymous);
      expect(faults(refusal), credential).toEqual(["NOT_FOUND"]);
      texts.add(refusal.message);
    }
    expect(texts.size).toBe(1);
    expect(await api.get(keyId)).toMatchObject({ status: "KEY_STATUS_ACTIVE" });
  });

  test("not a derived token", async () => {
    const jwt = `${base64url('{"alg":"EdDSA"}')}.${base64url('{"sub":"x"}')}.${base64url("signature")}`;
    for (const credential of [jwt, `mc_v1_${base64url("macaroon")}`]) {
      const refusal = await api.refused("RevokeApiKey", { credential, reason: compromised }, anonymous);
      expect(faults(refusal)).toEqual(["INVALID_ARGUMENT", "credential"]);
    }
  });
});

function base64url(text: string): string {
  return Buffer.from(text).toString("base64url");
}
