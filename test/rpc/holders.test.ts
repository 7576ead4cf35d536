import { once } from "node:events";
import { connect } from "node:http2";
import { connect as connectTcp } from "node:net";
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Api, faults, startApi } from "../support/api.ts";
import { derive } from "../support/derive.ts";

const anonymous = { token: null };
const reason = "REVOCATION_REASON_KEY_COMPROMISE";
const limited = { code: "RESOURCE_EXHAUSTED", reason: "TOO_MANY_CALLS" };
let api: Api;
beforeAll(async () => {
  api = await startApi("grpc", { env: { KEYWRIGHT_SELF_REVOKE_LIMIT: "8/1h", KEYWRIGHT_TRUSTED_PROXIES: "127.0.0.0/8" } });
});
afterAll(() => api?.[Symbol.asyncDispose]());

let clients = 0;
/** Each test is a separate client, so that none uses up another's guesses. */
const newClient = () => {
  clients += 1;
  return { ...anonymous, headers: { "x-forwarded-for": `192.0.2.${clients}` } };
};
const inspect = (credential: string, as: object = newClient()) => api.call("SelfInspect", { credential }, as);
const refusedInspect = (credential: string, as: object = newClient()) => api.refused("SelfInspect", { credential }, as);
const importKey = async (request: JsonObject = {}) => {
  const raw_key = `import-${crypto.randomUUID()}`;
  const { key_id } = await api.call("AdminImportApiKey", { raw_key, name: "imported", actor_id: "a", ...request });
  return { secret: raw_key, keyId: String(key_id) };
};
const policy = { rate_limit_policy: { quota: "10", window: "3600s", unit: "requests" } };

describe("SelfInspect", () => {
  test("shows the holder of a key its attributes and what is left of its limit, repeatedly", async () => {
    const { keyId, secret } = await api.issue({ name: "ci", scopes: ["a", "b"], ttl: "3600s", ...policy });
    await api.verify({ credential: secret, cost: 4 });
    for (let look = 0; look < 2; look += 1) {
      expect(await inspect(secret)).toMatchObject({
        status: "KEY_STATUS_ACTIVE",
        visibility: "KEY_VISIBILITY_SECRET",
        key_id: keyId,
        name: "ci",
        scopes: ["a", "b"],
        expire_time: expect.any(String),
        rate_limit_remaining: "6",
        rate_limit_policy: policy.rate_limit_policy,
      });
    }
  });

  test("is not a use of the key, and shows no metadata and no actor", async () => {
    const { keyId, secret } = await api.issue({ actor_id: "somebody", metadata: { team: "x" } });
    const shown = await inspect(secret);
    expect(Object.keys(shown).sort()).toEqual(["key_id", "status", "visibility"]);
    await api.verify({ credential: (await api.issue()).secret });
    expect(await api.get(keyId)).not.toHaveProperty("last_used_time");
  });

  test("shows imported keys, and derived tokens with their own scopes and expiry", async () => {
    const { keyId, secret } = await importKey({ scopes: ["a", "b"], ...policy });
    expect(await inspect(secret)).toMatchObject({ key_id: keyId, name: "imported", scopes: ["a", "b"], rate_limit_remaining: "10" });
    for (const [algorithm, left] of [
      ["TOKEN_ALGORITHM_JWT", "9"],
      ["TOKEN_ALGORITHM_MACAROON", "8"],
    ] as const) {
      const { token, expireTimeMs } = await derive(api, secret, { algorithm, scopes: ["a"] });
      const shown = await inspect(token);
      expect(shown).toMatchObject({ key_id: keyId, scopes: ["a"], rate_limit_remaining: left });
      expect(Date.parse(String(shown.expire_time))).toBe(expireTimeMs);
    }
  });

  test("shows only the key's identity and state if it may not be used now or from here", async () => {
    const { keyId, secret } = await api.issue({ scopes: ["a"], ...policy, ip_restriction: { allowed_cidrs: ["198.51.100.0/24"] } });
    const here = { ...anonymous, headers: { "x-forwarded-for": "198.51.100.7" } };
    expect(await inspect(secret, here)).toMatchObject({ key_id: keyId, scopes: ["a"] });
    const identity = { key_id: keyId, status: "KEY_STATUS_ACTIVE", visibility: "KEY_VISIBILITY_SECRET" };
    expect(await inspect(secret)).toEqual(identity);
    await api.call("AdminDisableApiKey", { key_id: keyId });
    expect(await inspect(secret, here)).toEqual({ ...identity, status: "KEY_STATUS_REVOKED", disabled: true });
    await api.call("AdminRevokeApiKey", { key_id: keyId, reason });
    expect(await inspect(secret, here)).toEqual({ ...identity, status: "KEY_STATUS_REVOKED" });
  });

  test("reports that a key is within the grace period of a rotation, but not which key replaced it", async () => {
    const { keyId, secret } = await api.issue();
    const rotated = await api.call("AdminRotateIssuedApiKey", { key_id: keyId, grace_period: "3600s" });
    const shown = await inspect(secret);
    expect(shown).toMatchObject({ key_id: keyId, status: "KEY_STATUS_ACTIVE", superseded: true, expire_time: expect.any(String) });
    expect(JSON.stringify(shown)).not.toContain(String((rotated.issued_api_key as JsonObject).key_id));
  });

  test("shows only the state of a public key, and of tokens from one", async () => {
    const issued = await api.issue({ visibility: "KEY_VISIBILITY_PUBLIC", name: "n", scopes: ["a"], ...policy });
    const imported = await importKey({ visibility: "KEY_VISIBILITY_PUBLIC", scopes: ["a"] });
    const { token } = await derive(api, issued.secret, { algorithm: "TOKEN_ALGORITHM_JWT" });
    for (const credential of [issued.secret, imported.secret, token])
      expect(await inspect(credential)).toEqual({ status: "KEY_STATUS_ACTIVE", visibility: "KEY_VISIBILITY_PUBLIC" });
  });

  test("responds in the same way to unknown, damaged and forged credentials", async () => {
    const { keyId, secret } = await api.issue();
    const { token } = await derive(api, secret, { algorithm: "TOKEN_ALGORITHM_JWT" });
    const damaged = (text: string) => `${text.slice(0, -9)}${text.at(-9) === "0" ? "1" : "0"}${text.slice(-8)}`;
    const texts = new Set<string>();
    for (const credential of ["x", ` ${secret}`, keyId, damaged(secret), damaged(token)]) {
      const refusal = await refusedInspect(credential);
      expect(faults(refusal), credential).toEqual(["NOT_FOUND"]);
      texts.add(refusal.message);
    }
    expect(texts.size).toBe(1);
  });

  test("counts guesses together with self-revocation, and inspections of a key separately", async () => {
    const guesser = newClient();
    for (let guess = 0; guess < 7; guess += 1) await refusedInspect(`guess ${guess}`, guesser);
    await api.refused("RevokeApiKey", { credential: "guess", reason }, guesser);
    const refusal = await refusedInspect("guess 9", guesser);
    expect(refusal).toMatchObject(limited);
    expect(Number(refusal.headers.get("retry-after"))).toBeGreaterThan(0);
    const { secret } = await api.issue();
    for (let look = 0; look < 8; look += 1) await inspect(secret, guesser);
    expect(await refusedInspect(secret)).toMatchObject(limited);
    await api.call("RevokeApiKey", { credential: secret, reason }, guesser);
  });

  test("accepts at most 16 KiB", async () => {
    expect((await refusedInspect("x".repeat(17 * 1024))).reason).toBe("BODY_TOO_LARGE");
  });
});

describe("BatchSelfRevoke", () => {
  const revoke = async (credentials: string[], as: object = newClient()) =>
    (await api.call("BatchSelfRevoke", { credentials, reason }, as)).results as JsonObject[];

  test("revokes each key independently and gives the reason for failures", async () => {
    const [issued, other, imported] = [await api.issue(), await api.issue(), await importKey()];
    const open = await api.issue({ visibility: "KEY_VISIBILITY_PUBLIC" });
    const { token } = await derive(api, issued.secret, { algorithm: "TOKEN_ALGORITHM_JWT" });
    const credentials = [issued.secret, "unknown", open.secret, imported.secret, token, other.secret, other.secret];
    expect((await revoke(credentials)).map(({ revoked, error_reason }) => revoked ?? error_reason)).toEqual([
      true,
      "KEY_NOT_FOUND",
      "PUBLIC_KEY_NOT_PROOF",
      true,
      "INVALID_REQUEST",
      true,
      true,
    ]);
    for (const credential of [issued.secret, other.secret, imported.secret, token])
      expect(await api.verify({ credential })).toMatchObject({ error_code: "VERIFICATION_ERROR_REVOKED" });
    expect(await api.verify({ credential: open.secret })).toMatchObject({ is_valid: true });
    const { audit_events } = await api.call("AdminListAuditEvents", { filter: `key_id="${issued.keyId}" AND method="BatchSelfRevoke"` });
    expect(audit_events).toMatchObject([{ revocation_reason: reason, key_ids: [issued.keyId] }]);
  });

  test("accepts at most 100 keys in one call", async () => {
    const keys = await Promise.all(Array.from({ length: 100 }, () => api.issue()));
    const results = await revoke(keys.map(({ secret }) => secret));
    expect(results).toEqual(Array.from({ length: 100 }, () => ({ revoked: true })));
    for (const { secret } of keys.slice(-2)) expect(await api.verify({ credential: secret })).not.toMatchObject({ is_valid: true });
    const tooMany = { credentials: Array.from({ length: 101 }, () => "x"), reason };
    expect(faults(await api.refused("BatchSelfRevoke", tooMany, newClient()))).toEqual(["INVALID_ARGUMENT", "credentials"]);
  });

  test("counts each guess, and reports when to retry; genuine keys are not limited", async () => {
    const guesser = newClient();
    const { secret } = await api.issue();
    const results = await revoke([...Array.from({ length: 10 }, (_, guess) => `guess ${guess}`), secret], guesser);
    const reasons = results.map(({ revoked, error_reason }) => revoked ?? error_reason);
    expect(reasons).toEqual([...Array(8).fill("KEY_NOT_FOUND"), "TOO_MANY_CALLS", "TOO_MANY_CALLS", true]);
    expect(results[9]?.retry_after_seconds).toBeGreaterThan(0);
    expect(await refusedInspect("guess", guesser)).toMatchObject(limited);
  });

  test("refuses a reason that a holder cannot have", async () => {
    const request = { credentials: ["x"], reason: "REVOCATION_REASON_PRIVILEGE_WITHDRAWN" };
    expect(faults(await api.refused("BatchSelfRevoke", request, newClient()))).toEqual(["INVALID_ARGUMENT", "reason"]);
  });
});

test("guesses of callers without a known address count by the address of their peer", async () => {
  /** Over HTTP/2 without X-Forwarded-For, from an address of the trusted range. */
  const guess = async (localAddress: string): Promise<unknown> => {
    const session = connect(api.server.url, {
      createConnection: () => connectTcp({ port: api.server.port, host: "127.0.0.1", localAddress }),
    });
    const stream = session.request({ ":method": "POST", ":path": "/v2alpha1/apiKeys:selfRevoke", "content-type": "application/json" });
    stream.end(JSON.stringify({ credential: crypto.randomUUID(), reason })).resume();
    const [headers] = await once(stream, "response");
    session.destroy();
    return headers[":status"];
  };
  const statuses: unknown[] = [];
  for (let count = 0; count < 9; count += 1) statuses.push(await guess("127.0.0.2"));
  expect(statuses).toEqual([...Array(8).fill(404), 429]);
  expect(await guess("127.0.0.3")).toBe(404);
});
