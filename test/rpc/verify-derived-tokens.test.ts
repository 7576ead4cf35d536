import { createPrivateKey, type JsonWebKey, sign } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { narrowMacaroon } from "../../src/core/token/macaroon.ts";
import { type Api, type ApiHere, startApi } from "../support/api.ts";
import { derive } from "../support/derive.ts";

const macaroon = "TOKEN_ALGORITHM_MACAROON";
let api: ApiHere;
beforeAll(async () => {
  api = await startApi("json-http");
});
afterAll(() => api?.[Symbol.asyncDispose]());

const key = { actor_id: "user_1", scopes: ["read", "write"], metadata: { plan: "gold" } };
const revoke = (on: Api, keyId: unknown) =>
  on.call("AdminRevokeApiKey", { key_id: String(keyId), reason: "REVOCATION_REASON_KEY_COMPROMISE" });
const narrow = (on: Api, keyId: string) =>
  on.call("AdminUpdateIssuedApiKey", { issued_api_key: { key_id: keyId, scopes: ["read"] }, update_mask: "scopes" });
const errorCode = async (on: Api, request: JsonObject) =>
  String((await on.verify(request)).error_code ?? "valid").replace("VERIFICATION_ERROR_", "");

/** Signs other claims with the server's own signing key. */
async function forged(on: Api, token: string, claims: JsonObject): Promise<string> {
  const { keys } = JSON.parse(await readFile(join(on.server.dataDir, "signing-keys.json"), "utf8")) as { keys: [JsonWebKey] };
  const [header, payload] = token.split(".") as [string, string];
  const changed = { ...(JSON.parse(Buffer.from(payload, "base64url").toString()) as JsonObject), ...claims };
  const input = `${header}.${Buffer.from(JSON.stringify(changed)).toString("base64url")}`;
  return `${input}.${sign(null, Buffer.from(input), createPrivateKey({ key: keys[0], format: "jwk" })).toString("base64url")}`;
}

test("a valid token is returned with its claims and its key's attributes", async () => {
  const { keyId, secret } = await api.issue({ ...key, rate_limit_policy: { quota: "5", window: "60s" } });
  const { token, expireTimeMs } = await derive(api, secret, { scopes: ["read"], custom_claims: { team: "blue" } });
  // Twice: the second time the signature is remembered.
  for (let count = 0; count < 2; count += 1) {
    expect(await api.verify({ credential: token })).toMatchObject({
      is_valid: true,
      key_id: keyId,
      actor_id: "user_1",
      scopes: ["read"],
      metadata: { plan: "gold" },
      expire_time: expect.stringContaining(new Date(expireTimeMs).toISOString().slice(0, 19)),
      status: "KEY_STATUS_ACTIVE",
      visibility: "KEY_VISIBILITY_SECRET",
      issuer: "http://127.0.0.1:0",
      claims: { team: "blue" },
      rate_limit_policy: { quota: "5", window: "60s", unit: "requests" },
    });
    expect(await errorCode(api, { credential: token, required_scopes: ["read"] })).toBe("valid");
    expect(await errorCode(api, { credential: token, required_scopes: ["write"] })).toBe("INSUFFICIENT_SCOPE");
  }
});

test("an expired token returns EXPIRED, even if its signature is remembered", async () => {
  const { token } = await derive(api, (await api.issue(key)).secret, { ttl: "1s" });
  expect(await errorCode(api, { credential: token })).toBe("valid");
  api.pass(2050);
  expect(await api.verify({ credential: token })).toMatchObject({
    is_valid: false,
    error_code: "VERIFICATION_ERROR_EXPIRED",
    status: "KEY_STATUS_EXPIRED",
  });
});

test("damaged tokens, foreign tokens and tokens for another audience are refused with their codes", async () => {
  const { token } = await derive(api, (await api.issue(key)).secret);
  const [header, payload, signature] = token.split(".");
  const foreign = await startApi("json-http");
  const { token: foreignToken } = await derive(foreign, (await foreign.issue(key)).secret);
  await foreign[Symbol.asyncDispose]();
  const nowSeconds = Math.floor(Date.now() / 1000);
  for (const [credential, code] of [
    [`${header}.${payload}.${"A".repeat(86)}`, "SIGNATURE_INVALID"],
    [foreignToken, "SIGNATURE_INVALID"],
    [`${header}.${payload}`, "NOT_FOUND"],
    [`eyJ4.${payload}.${signature}`, "INVALID_FORMAT"],
    [await forged(api, token, {}), "valid"],
    [await forged(api, token, { tenant: "other" }), "NOT_FOUND"],
    [await forged(api, token, { iss: "https://other.example" }), "NOT_FOUND"],
    [await forged(api, token, { key_id: "01ARZ3NDEKTSV4RRFFQ69G5FAV" }), "NOT_FOUND"],
    [await forged(api, token, { iat: nowSeconds + 20, nbf: nowSeconds + 20 }), "valid"],
    [await forged(api, token, { nbf: nowSeconds + 40 }), "EXPIRED"],
    [await forged(api, token, { iat: nowSeconds + 40 }), "EXPIRED"],
    [await forged(api, token, { exp: nowSeconds - 1 }), "EXPIRED"],
  ] as const) {
    expect(await errorCode(api, { credential }), credential).toBe(code);
  }
});

test("a batch judges tokens like keys, independently", async () => {
  const { secret, keyId } = await api.issue(key);
  const { token } = await derive(api, secret, { scopes: ["read"] });
  const requests: JsonObject[] = [
    { credential: token },
    { credential: secret, required_scopes: ["write"] },
    { credential: token, required_scopes: ["write"] },
    { credential: "eyJ4.e30.AA" },
  ];
  const { results } = await api.call("AdminBatchVerifyApiKeys", { requests });
  expect(results).toMatchObject([
    { is_valid: true, key_id: keyId, scopes: ["read"] },
    { is_valid: true, scopes: ["read", "write"] },
    { error_code: "VERIFICATION_ERROR_INSUFFICIENT_SCOPE" },
    { error_code: "VERIFICATION_ERROR_INVALID_FORMAT" },
  ]);
});

test("a use of a token is a use of its key", async () => {
  const { keyId, secret } = await api.issue(key);
  const { token } = await derive(api, secret);
  await api.verify({ credential: token });
  await expect.poll(async () => (await api.get(keyId)).last_used_time, { timeout: 5000, interval: 100 }).toBeDefined();
});

test("tokens and their key spend one rate limit", async () => {
  const { secret } = await api.issue({ ...key, rate_limit_policy: { quota: "5", window: "3600s" } });
  const jwt = await derive(api, secret);
  const credentials = [jwt.token, (await derive(api, jwt.token, { algorithm: macaroon })).token, secret];
  for (const credential of credentials) expect(await errorCode(api, { credential })).toBe("valid");
  for (const credential of credentials) expect(await errorCode(api, { credential })).toBe("RATE_LIMITED");
});

test("a token cannot be self-revoked", async () => {
  const { token } = await derive(api, (await api.issue(key)).secret);
  const refusal = await api.refused("RevokeApiKey", { credential: token, reason: "REVOCATION_REASON_KEY_COMPROMISE" });
  expect(refusal).toMatchObject({ code: "INVALID_ARGUMENT" });
});

test("a macaroon narrowed by its holder", async () => {
  const { keyId, secret } = await api.issue(key);
  const { token } = await derive(api, secret, { algorithm: macaroon });
  const narrowed = (...caveats: string[]) => narrowMacaroon(token, caveats) as string;
  expect(await api.verify({ credential: token })).toMatchObject({ is_valid: true, key_id: keyId, scopes: ["read", "write"] });
  expect(await api.verify({ credential: narrowed("scope = read admin") })).toMatchObject({ is_valid: true, scopes: ["read"] });
  const soon = new Date(Date.now() + 60_000).toISOString();
  const cases: readonly [credential: string, code: string, request?: JsonObject][] = [
    [narrowed(`time < ${soon}`), "valid"],
    [narrowed("time < 2020-01-01T00:00:00Z"), "EXPIRED"],
    [narrowed(`time > ${soon}`), "EXPIRED"],
    [narrowed("ip in 10.0.0.0/8"), "valid", { client_ip: "10.0.0.1" }],
    [narrowed("ip in 10.0.0.0/8"), "IP_NOT_ALLOWED"],
    [narrowed("audience = files"), "valid", { audience: "files" }],
    [narrowed("audience = files"), "NOT_FOUND", { audience: "mail" }],
    [narrowed("audience = files", "audience = mail"), "NOT_FOUND", { audience: "mail" }],
    [narrowed(`key_id = ${keyId}`), "valid"],
    [narrowed("actor_id = user_2"), "INVALID_FORMAT"],
    [narrowed("role = admin"), "INVALID_FORMAT"],
    [`${narrowed("scope = read").slice(0, -4)}AAAA`, "SIGNATURE_INVALID"],
    [`${token}AAAA`, "INVALID_FORMAT"],
    ["mc_v1_AAAA", "INVALID_FORMAT"],
  ];
  for (const [credential, code, request] of cases) {
    expect(await errorCode(api, { credential, ...request }), credential).toBe(code);
  }
});

describe.each(["TOKEN_ALGORITHM_JWT", macaroon])("rooted, %s", (algorithm) => {
  test("revoking a key ends its tokens and their tokens", async () => {
    const { keyId, secret } = await api.issue(key);
    const first = await derive(api, secret, { algorithm });
    const second = await derive(api, first.token, { algorithm });
    for (const { token } of [first, second]) expect(await errorCode(api, { credential: token })).toBe("valid");
    await revoke(api, keyId);
    for (const { token } of [first, second]) expect(await errorCode(api, { credential: token })).toBe("REVOKED");
  });

  test("narrowing a key narrows its tokens", async () => {
    const { keyId, secret } = await api.issue(key);
    const { token } = await derive(api, secret, { algorithm });
    await api.verify({ credential: token });
    await narrow(api, keyId);
    expect(await api.verify({ credential: token })).toMatchObject({ is_valid: true, scopes: ["read"] });
    expect(await errorCode(api, { credential: token, required_scopes: ["write"] })).toBe("INSUFFICIENT_SCOPE");
  });

  test("deleting a key ends its tokens permanently", async () => {
    const raw_key = `sk_live_${crypto.randomUUID()}`;
    const imported = { raw_key, name: "x", actor_id: "user_1", scopes: ["read"] };
    const { key_id } = await api.call("AdminImportApiKey", imported);
    const { token } = await derive(api, raw_key, { algorithm });
    await api.call("AdminDeleteImportedApiKey", { key_id: String(key_id) });
    expect(await errorCode(api, { credential: token })).toBe("NOT_FOUND");
    api.pass(1050);
    // It has the same id but is another key.
    expect((await api.call("AdminImportApiKey", imported)).key_id).toBe(key_id);
    expect(await errorCode(api, { credential: raw_key })).toBe("valid");
    expect(await errorCode(api, { credential: token })).toBe("NOT_FOUND");
    expect(await errorCode(api, { credential: (await derive(api, raw_key, { algorithm })).token })).toBe("valid");
  });
});

test("stateless: a token of a deleted tenant is not valid in the next tenant of the same name", async () => {
  await using own = await startApi("json-http", { env: { KEYWRIGHT_DERIVED_TOKENS: "stateless" } });
  const acme = { headers: { "keywright-tenant": "acme" } };
  await own.call("AdminCreateTenant", { tenant_id: "acme" });
  const { secret } = await own.call("AdminIssueApiKey", key, acme);
  const derived = ["JWT", "MACAROON"].map(async (algorithm) => {
    const { token } = await own.call("AdminDeriveToken", { credential: String(secret), algorithm: `TOKEN_ALGORITHM_${algorithm}` }, acme);
    return String((token as JsonObject).token);
  });
  const requests = (await Promise.all(derived)).map((credential) => ({ credential }));
  const codes = async () => {
    const { results } = await own.call("AdminBatchVerifyApiKeys", { requests }, acme);
    return (results as JsonObject[]).map(({ error_code }) => error_code ?? "valid");
  };
  expect(await codes()).toEqual(["valid", "valid"]);
  await own.call("AdminSuspendTenant", { tenant_id: "acme" });
  await own.call("AdminDeleteTenant", { tenant_id: "acme", force: true });
  own.pass(1050);
  await own.call("AdminCreateTenant", { tenant_id: "acme" });
  expect(await codes()).toEqual(["VERIFICATION_ERROR_NOT_FOUND", "VERIFICATION_ERROR_NOT_FOUND"]);
  expect((await own.refused("SelfInspect", requests[0] as JsonObject, { token: null })).code).toBe("NOT_FOUND");
});

test("stateless: a token is valid until its own expiry, whatever happens to its key and its tenant's settings; but nothing more can be derived from it", async () => {
  await using own = await startApi("json-http", { env: { KEYWRIGHT_DERIVED_TOKENS: "stateless" } });
  const { keyId, secret } = await own.issue(key);
  const { token } = await derive(own, secret, { custom_claims: { team: "blue" } });
  await narrow(own, keyId);
  await revoke(own, keyId);
  expect(await own.verify({ credential: token })).toMatchObject({
    is_valid: true,
    key_id: keyId,
    actor_id: "user_1",
    scopes: ["read", "write"],
    metadata: { plan: "gold" },
    claims: { team: "blue" },
    status: "KEY_STATUS_ACTIVE",
  });
  own.pass(5000);
  await own.call("AdminUpdateTenant", {
    tenant: { tenant_id: "default", display_name: "the first change of default" },
    update_mask: "display_name",
  });
  await own.call("SelfInspect", { credential: token }, { token: null });
  const { results } = await own.call("AdminBatchVerifyApiKeys", { requests: [{ credential: token }, { credential: secret }] });
  expect(results).toMatchObject([{ is_valid: true }, { error_code: "VERIFICATION_ERROR_REVOKED" }]);
  expect(await own.refused("AdminDeriveToken", { credential: token })).toMatchObject({ reason: "KEY_NOT_ACTIVE" });
});
