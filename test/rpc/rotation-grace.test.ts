import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Api, faults, startApi } from "../support/api.ts";
import { asObject } from "../support/clients/client.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi("json-http", { env: { KEYWRIGHT_MAX_KEYS: "40" } });
});
afterAll(() => api?.[Symbol.asyncDispose]());

async function rotate(keyId: string, more: JsonObject = {}) {
  const { issued_api_key, old_issued_api_key, secret } = await api.call("AdminRotateIssuedApiKey", { key_id: keyId, ...more });
  const key = asObject(issued_api_key);
  return { key, keyId: String(key.key_id), old: asObject(old_issued_api_key), secret: String(secret ?? "") };
}

async function stateOf(credential: string): Promise<string> {
  const { is_valid, error_code, error_message } = await api.verify({ credential });
  return is_valid ? "VALID" : `${String(error_code).replace("VERIFICATION_ERROR_", "")}: ${error_message}`;
}

const revoked = "REVOKED: the credential was revoked";
const revoke = (keyId: string) => api.call("AdminRevokeApiKey", { key_id: keyId, reason: "REVOCATION_REASON_KEY_COMPROMISE" });
const derive = async (credential: string, more: JsonObject = {}): Promise<JsonObject> => {
  const { token } = await api.call("AdminDeriveToken", { credential, algorithm: "TOKEN_ALGORITHM_JWT", ...more });
  return asObject(token);
};
const secondsBetween = (from: unknown, to: unknown) => (Date.parse(String(to)) - Date.parse(String(from))) / 1000;

test("within the grace period both keys verify; the old one shows its successor and its expiry", async () => {
  const first = await api.issue();
  expect(first.key).toMatchObject({ lineage_id: first.keyId });
  const rotated = await rotate(first.keyId, { grace_period: "3600s" });
  expect(rotated.old).toMatchObject({ status: "KEY_STATUS_ACTIVE", superseded_by: rotated.keyId, lineage_id: first.keyId });
  expect(secondsBetween(rotated.key.create_time, rotated.old.expire_time)).toBe(3600);
  expect(rotated.key).toMatchObject({ lineage_id: first.keyId });
  expect(rotated.key).not.toHaveProperty("superseded_by");
  expect(rotated.key).not.toHaveProperty("expire_time");
  expect(await api.get(first.keyId)).toMatchObject(rotated.old);
  expect([await stateOf(first.secret), await stateOf(rotated.secret)]).toEqual(["VALID", "VALID"]);
  const { token } = await derive(first.secret);
  for (const credential of [first.secret, String(token)]) {
    expect(await api.verify({ credential })).toMatchObject({ superseded_by: rotated.keyId, expire_time: expect.any(String) });
  }
  expect(await api.verify({ credential: rotated.secret })).not.toHaveProperty("superseded_by");

  const again = await api.refused("AdminRotateIssuedApiKey", { key_id: first.keyId });
  expect([again.code, again.message]).toEqual([
    "FAILED_PRECONDITION",
    "the key was rotated already and is within its grace period; rotate its successor instead",
  ]);
  const third = await rotate(rotated.keyId);
  expect(third.key).toMatchObject({ lineage_id: first.keyId });
  expect([await stateOf(first.secret), await stateOf(rotated.secret)]).toEqual(["VALID", revoked]);
});

test("at the end of the grace period the old key and its tokens are expired, and no update prolongs its life", async () => {
  const first = await api.issue();
  const rotated = await rotate(first.keyId, { grace_period: "2s" });
  const { token, claims } = await derive(first.secret);
  expect(Number(asObject(claims).exp) * 1000).toBeLessThanOrEqual(Date.parse(String(rotated.old.expire_time)));
  const tooLong = await api.refused("AdminDeriveToken", { credential: first.secret, algorithm: "TOKEN_ALGORITHM_JWT", ttl: "60s" });
  expect(faults(tooLong)).toEqual(["INVALID_ARGUMENT", "ttl"]);
  const updated = await api.call("AdminUpdateIssuedApiKey", {
    issued_api_key: { key_id: first.keyId, name: "new", expire_time: "2100-01-01T00:00:00Z" },
  });
  expect(updated).toMatchObject({ name: "new", expire_time: rotated.old.expire_time });
  await expect.poll(() => stateOf(first.secret), { timeout: 10_000 }).toBe("EXPIRED: the credential has expired");
  expect(await stateOf(String(token))).toBe("EXPIRED: the credential has expired");
  expect(await api.get(first.keyId)).toMatchObject({ status: "KEY_STATUS_EXPIRED" });
  expect(await stateOf(rotated.secret)).toBe("VALID");
});

test("the grace period never prolongs the life of the old key; ttl gives the new key its own life", async () => {
  const first = await api.issue({ ttl: "60s" });
  const rotated = await rotate(first.keyId, { grace_period: "3600s", ttl: "7200s" });
  expect(rotated.old.expire_time).toBe(first.key.expire_time);
  expect(secondsBetween(rotated.key.create_time, rotated.key.expire_time)).toBe(7200);
});

test("revoking the new key does not end the old one's grace period, and revoking the old one ends only that one", async () => {
  const first = await api.issue();
  const rotated = await rotate(first.keyId, { grace_period: "3600s" });
  await revoke(rotated.keyId);
  expect([await stateOf(first.secret), await stateOf(rotated.secret)]).toEqual(["VALID", revoked]);
  expect((await api.get(first.keyId)).expire_time).toBe(rotated.old.expire_time);

  const other = await api.issue();
  const next = await rotate(other.keyId, { grace_period: "3600s" });
  await revoke(other.keyId);
  expect([await stateOf(other.secret), await stateOf(next.secret)]).toEqual([revoked, "VALID"]);
});

test("a repeated request_id returns the same keys without the secret and rotates once", async () => {
  const first = await api.issue({ rate_limit_policy: { quota: "5", window: "60s" } });
  const request = { grace_period: "3600s", request_id: `r-${first.keyId}`, rate_limit_policy: { quota: "7", window: "60s" } };
  const all = await Promise.all(Array.from({ length: 8 }, () => rotate(first.keyId, request)));
  expect(new Set(all.map(({ keyId }) => keyId)).size).toBe(1);
  expect(all.filter(({ secret }) => secret !== "")).toHaveLength(1);
  expect(await rotate(first.keyId, request)).toEqual({ ...all[0], secret: "" });
  const others: JsonObject[] = [{ grace_period: "1800s" }, { ttl: "60s" }, { rate_limit_policy: { quota: "8", window: "60s" } }];
  for (const other of others) {
    expect((await api.refused("AdminRotateIssuedApiKey", { key_id: first.keyId, ...request, ...other })).code).toBe("ALREADY_EXISTS");
  }
  const { key_id } = await api.issue().then(({ key }) => key);
  expect((await api.refused("AdminRotateIssuedApiKey", { ...request, key_id: key_id as string })).code).toBe("ALREADY_EXISTS");
  const { audit_events } = await api.call("AdminListAuditEvents", {
    filter: `key_id="${first.keyId}" AND method="AdminRotateIssuedApiKey"`,
  });
  expect((audit_events as JsonObject[]).filter(({ error_reason }) => error_reason === undefined)).toHaveLength(1);
});

test("the new fields have bounds", async () => {
  const { keyId } = await api.issue();
  for (const [field, value] of [
    ["grace_period", "2592001s"],
    ["grace_period", "0.5s"],
    ["ttl", "315360001s"],
    ["request_id", "x".repeat(37)],
  ] as const) {
    expect(faults(await api.refused("AdminRotateIssuedApiKey", { key_id: keyId, [field]: value }))).toEqual(["INVALID_ARGUMENT", field]);
  }
});

test("a chain of rotations shares one rate limit", async () => {
  const first = await api.issue({ rate_limit_policy: { quota: "4", window: "3600s" } });
  const next = await rotate(first.keyId, { grace_period: "3600s" });
  await api.verify({ credential: first.secret, cost: 3 });
  expect(await api.verify({ credential: next.secret })).toMatchObject({ is_valid: true, rate_limit_remaining: "0" });
  expect(await stateOf(first.secret)).toBe("RATE_LIMITED: the key's rate limit is exhausted");
  const last = await rotate(next.keyId);
  expect(await stateOf(last.secret)).toBe("RATE_LIMITED: the key's rate limit is exhausted");
});

test("keys of a chain with different rate limits, used in turn, get no more than the greater one together", async () => {
  const first = await api.issue({ rate_limit_policy: { quota: "4", window: "3600s" } });
  for (let use = 0; use < 4; use += 1) expect(await stateOf(first.secret)).toBe("VALID");
  const next = await rotate(first.keyId, { grace_period: "3600s", rate_limit_policy: { quota: "2", window: "3600s" } });
  for (let round = 0; round < 3; round += 1) {
    for (const secret of [next.secret, first.secret]) expect(await stateOf(secret)).toBe("RATE_LIMITED: the key's rate limit is exhausted");
  }
});

test("a chain counts once in the quota as long as one of its keys verifies", async () => {
  const first = await api.issue();
  let made = 0;
  const exhausted = async (): Promise<string> => {
    for (;;) {
      try {
        await api.issue({ name: `filler-${made}` });
        made += 1;
      } catch (error) {
        return String(error);
      }
    }
  };
  const isFull = async () => (await api.refused("AdminIssueApiKey", {})).code === "RESOURCE_EXHAUSTED";
  await exhausted();
  const second = await rotate(first.keyId, { grace_period: "3600s" });
  const third = await rotate(second.keyId, { grace_period: "3600s" });
  expect(await isFull()).toBe(true);
  await revoke(third.keyId);
  expect(await isFull()).toBe(true);
  await revoke(first.keyId);
  expect(await isFull()).toBe(true);
  await revoke(second.keyId);
  const last = await api.issue();
  expect(await isFull()).toBe(true);
  await api.call("AdminDisableApiKey", { key_id: last.keyId });
  expect(await isFull()).toBe(true);
  await revoke(last.keyId);
  await api.issue();
  expect(await isFull()).toBe(true);
});
