import { createHash } from "node:crypto";
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Api, startApi } from "../support/api.ts";
import { clientKinds } from "../support/clients.ts";
import { derive } from "../support/derive.ts";
import { httpSender } from "../support/http.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

const policy = (quota: number) => ({ rate_limit_policy: { quota: String(quota), window: "3600s" } });
const refusal = { code: "RESOURCE_EXHAUSTED", reason: "RATE_LIMITED" };
const left = async (credential: string) => (await api.verify({ credential, cost: 0 })).rate_limit_remaining;

test("a derivation takes one unit of the key's limit, and is refused if none is left", async () => {
  const { secret } = await api.issue(policy(3));
  await derive(api, secret);
  expect(await left(secret)).toBe("2");
  await api.verify({ credential: secret });
  await derive(api, secret);
  expect(await api.refused("AdminDeriveToken", { credential: secret })).toMatchObject(refusal);
  expect(await left(secret)).toBe("0");
});

test.each(["TOKEN_ALGORITHM_JWT", "TOKEN_ALGORITHM_MACAROON"])(
  "a derivation from a token takes one unit of its key's limit, %s",
  async (algorithm) => {
    const { secret } = await api.issue(policy(3));
    const { token } = await derive(api, secret, { algorithm });
    const second = await derive(api, token);
    expect(await left(secret)).toBe("1");
    await derive(api, second.token);
    expect(await api.refused("AdminDeriveToken", { credential: token })).toMatchObject(refusal);
  },
);

test("imported keys have limits on derivations too", async () => {
  const raw_key = `sk_${crypto.randomUUID()}`;
  await api.call("AdminImportApiKey", { raw_key, name: "x", actor_id: "x", ...policy(1) });
  await derive(api, raw_key);
  expect(await api.refused("AdminDeriveToken", { credential: raw_key })).toMatchObject(refusal);
});

test("the call's cost is taken completely or not at all, and must not be 0", async () => {
  const { secret } = await api.issue(policy(5));
  await derive(api, secret, { cost: 4 });
  expect(await api.refused("AdminDeriveToken", { credential: secret, cost: 2 })).toMatchObject(refusal);
  expect(await left(secret)).toBe("1");
  for (const cost of [0, -1, 1_000_001]) {
    expect(await api.refused("AdminDeriveToken", { credential: secret, cost })).toMatchObject({ violations: [{ field: "cost" }] });
  }
});

test("a request that is refused for other reasons costs nothing, and one that the limit refuses is not in the audit trail", async () => {
  const { keyId, secret } = await api.issue({ ...policy(1), scopes: ["a"] });
  const refused: JsonObject[] = [
    { scopes: ["b"] },
    { custom_claims: { iss: "x" } },
    { custom_claims: { x: "x".repeat(5000) } },
    { client_ip: "not an address" },
  ];
  for (const request of refused) {
    await api.refused("AdminDeriveToken", { credential: secret, ...request });
  }
  expect(await left(secret)).toBe("1");
  await derive(api, secret);
  await api.refused("AdminDeriveToken", { credential: secret });
  const filter = `key_id="${keyId}" AND method="AdminDeriveToken"`;
  expect((await api.call("AdminListAuditEvents", { filter })).audit_events).toHaveLength(1);
});

test("of concurrent derivations exactly as many succeed as the quota allows", async () => {
  const { secret } = await api.issue(policy(7));
  const answers = await Promise.allSettled(Array.from({ length: 30 }, () => derive(api, secret)));
  expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(7);
});

test("a derivation is a use of its key", async () => {
  const { keyId, secret } = await api.issue();
  await derive(api, secret);
  await expect.poll(async () => (await api.get(keyId)).last_used_time, { timeout: 5000, interval: 100 }).toBeDefined();
});

test("the limit's headers are on successes and refusals, and Retry-After only on refusals", async () => {
  const { secret } = await api.issue(policy(1));
  const send = httpSender(api.server.url, api.server.adminToken);
  const ask = (body: JsonObject) => send("POST", "/v2alpha1/admin/apiKeys:derive", { body });
  const given = await ask({ credential: secret });
  expect(given.status).toBe(200);
  expect(given.headers.get("ratelimit-policy")).toBe('"key";q=1;w=3600');
  expect(given.headers.get("ratelimit")).toMatch(/^"key";r=0;t=3(600|599)$/);
  expect(given.headers.get("retry-after")).toBeNull();
  const refused = await ask({ credential: secret });
  expect(refused.status).toBe(429);
  expect(refused.headers.get("ratelimit")).toMatch(/^"key";r=0;t=3(600|59\d)$/);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(3500);
  // More than the whole quota: waiting does not help.
  const tooMuch = await ask({ credential: secret, cost: 2 });
  expect([tooMuch.status, tooMuch.headers.get("retry-after")]).toEqual([429, null]);
});

test.each(clientKinds)("over $name the refusal is an error of that protocol", async ({ open }) => {
  const { secret } = await api.issue(policy(1));
  await derive(api, secret);
  await using client = open(api.server.url, api.server.adminToken);
  const reply = await client.call("AdminDeriveToken", { credential: secret });
  expect(reply).toMatchObject({ ok: false, ...refusal, message: "the key's rate limit is exhausted" });
  expect(reply.headers.get("ratelimit-policy")).toBe('"key";q=1;w=3600');
  expect(Number(reply.headers.get("retry-after"))).toBeGreaterThan(3500);
});

test("exp - iat is the ttl, in whole seconds", async () => {
  const { secret } = await api.issue();
  for (const [ttl, seconds] of [
    ["1s", 1],
    ["60s", 60],
    ["3600s", 3600],
    ["86400s", 86_400],
    ["1.5s", 2],
  ] as const) {
    for (const algorithm of ["TOKEN_ALGORITHM_JWT", "TOKEN_ALGORITHM_MACAROON"]) {
      const { claims, expireTimeMs } = await derive(api, secret, { ttl, algorithm });
      expect(Number(claims.exp) - Number(claims.iat), ttl).toBe(seconds);
      expect(expireTimeMs).toBe(Number(claims.exp) * 1000);
    }
  }
});

test.each(["TOKEN_ALGORITHM_JWT", "TOKEN_ALGORITHM_MACAROON"])(
  "a token of a deleted imported key stays invalid when the key is imported again in the same second, %s",
  async (algorithm) => {
    const raw_key = `sk_${crypto.randomUUID()}`;
    const imported = { raw_key_sha256: createHash("sha256").update(raw_key).digest("hex"), name: "x", actor_id: "user_1" };
    const dead: string[] = [];
    // Some of these occur within one second.
    for (let life = 0; life < 4; life += 1) {
      const { key_id } = await api.call("AdminImportApiKey", imported);
      const { token } = await derive(api, raw_key, { algorithm });
      const grandchild = await derive(api, token, { algorithm });
      // A change of the key does not make it another key.
      await api.call("AdminUpdateImportedApiKey", { imported_api_key: { key_id: String(key_id), name: "changed" }, update_mask: "name" });
      for (const credential of [token, grandchild.token]) expect(await api.verify({ credential })).toMatchObject({ is_valid: true });
      for (const credential of dead) {
        expect(await api.verify({ credential })).toMatchObject({ error_code: "VERIFICATION_ERROR_NOT_FOUND" });
        expect(await api.refused("AdminDeriveToken", { credential })).toMatchObject({ reason: "KEY_NOT_FOUND" });
      }
      dead.push(token, grandchild.token);
      await api.call("AdminDeleteImportedApiKey", { key_id: String(key_id) });
    }
  },
);
