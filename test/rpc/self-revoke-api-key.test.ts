import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Api, faults, startApi } from "../support/api.ts";

const compromised = "REVOCATION_REASON_KEY_COMPROMISE";
const anonymous = { token: null };
let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

test.each([compromised, "REVOCATION_REASON_AFFILIATION_CHANGED", "REVOCATION_REASON_SUPERSEDED"])("%s is taken", async (reason) => {
  const { keyId, secret } = await api.issue();
  await api.verify({ credential: secret });
  await api.call("RevokeApiKey", { credential: secret, reason }, anonymous);
  expect(await api.get(keyId)).toMatchObject({ status: "KEY_STATUS_REVOKED", revocation_reason: reason });
  expect(await api.verify({ credential: secret })).toMatchObject({ error_code: "VERIFICATION_ERROR_REVOKED" });
});

test.each(["REVOCATION_REASON_PRIVILEGE_WITHDRAWN", "REVOCATION_REASON_UNSPECIFIED"])("%s is not", async (reason) => {
  const { keyId, secret } = await api.issue();
  expect(faults(await api.refused("RevokeApiKey", { credential: secret, reason }, anonymous))).toEqual(["INVALID_ARGUMENT", "reason"]);
  expect(await api.get(keyId)).toMatchObject({ status: "KEY_STATUS_ACTIVE" });
});

test("a second time succeeds and keeps the first reason", async () => {
  const { keyId, secret } = await api.issue();
  for (const reason of [compromised, "REVOCATION_REASON_SUPERSEDED"])
    await api.call("RevokeApiKey", { credential: secret, reason }, anonymous);
  expect(await api.get(keyId)).toMatchObject({ revocation_reason: compromised });
});

describe("only the whole secret proves possession", () => {
  test("not the key id, not a damaged secret, not one with another's id; all are refused alike", async () => {
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

  test("and no derived token", async () => {
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
