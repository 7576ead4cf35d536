import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Api, faults, manyScopes, startApi } from "../support/api.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi("json-http");
});
afterAll(() => api?.[Symbol.asyncDispose]());

const request = (raw_key: string) => ({ raw_key, name: "Stripe", actor_id: "payments" });

test("an imported key verifies by its raw key, and no response contains the raw key", async () => {
  const imported = await api.call("AdminImportApiKey", {
    ...request("sk_live_first"),
    scopes: ["read"],
    metadata: { source: "stripe" },
    ttl: "8760h",
  });
  expect(imported).toMatchObject({
    name: "Stripe",
    actor_id: "payments",
    status: "KEY_STATUS_ACTIVE",
    scopes: ["read"],
    metadata: { source: "stripe" },
  });
  expect(imported.key_id).toMatch(/^[0-9a-f]{64}$/);
  expect(await api.verify({ credential: "sk_live_first" })).toMatchObject({ is_valid: true, key_id: imported.key_id, scopes: ["read"] });
  const seen = JSON.stringify([
    imported,
    await api.call("AdminGetImportedApiKey", { key_id: String(imported.key_id) }),
    await api.call("AdminListImportedApiKeys", {}),
  ]);
  expect(seen).not.toContain("sk_live_first");
});

test("a key that was just refused as unknown verifies as soon as it is imported", async () => {
  expect(await api.verify({ credential: "sk_late" })).toMatchObject({ is_valid: false, error_code: "VERIFICATION_ERROR_NOT_FOUND" });
  await api.call("AdminImportApiKey", request("sk_late"));
  expect(await api.verify({ credential: "sk_late" })).toMatchObject({ is_valid: true });
});

test("the same raw key twice returns ALREADY_EXISTS; the same request_id is a replay", async () => {
  const first = await api.call("AdminImportApiKey", { ...request("sk_twice"), request_id: "r1" });
  expect(await api.refused("AdminImportApiKey", request("sk_twice"))).toMatchObject({
    code: "ALREADY_EXISTS",
    reason: "KEY_ALREADY_EXISTS",
  });
  expect(await api.call("AdminImportApiKey", { ...request("sk_twice"), request_id: "r1" })).toEqual(first);
  for (const other of [request("sk_other"), { ...request("sk_twice"), name: "Another" }]) {
    expect(await api.refused("AdminImportApiKey", { ...other, request_id: "r1" })).toMatchObject({ reason: "REQUEST_ID_REUSED" });
  }
});

describe("by the SHA-256 of the raw key", () => {
  const sha256 = (rawKey: string, encoding: "hex" | "base64" | "base64url") => createHash("sha256").update(rawKey).digest(encoding);
  const named = { name: "Stripe", actor_id: "payments" };

  test.each(["hex", "base64", "base64url"] as const)("in %s, a key has the id of its raw key and verifies the same", async (encoding) => {
    const rawKey = `sk by ${encoding}`;
    const digest = sha256(rawKey, encoding);
    const imported = await api.call("AdminImportApiKey", { ...named, raw_key_sha256: digest, request_id: encoding });
    expect(await api.verify({ credential: rawKey })).toMatchObject({ is_valid: true, key_id: imported.key_id });
    expect(await api.verify({ credential: digest })).toMatchObject({ is_valid: false });
    expect(await api.refused("AdminImportApiKey", request(rawKey))).toMatchObject({ reason: "KEY_ALREADY_EXISTS" });
    // The current key: its last use may have reached the store by then.
    const { last_used_time: _, ...replayed } = await api.call("AdminImportApiKey", { ...request(rawKey), request_id: encoding });
    expect(replayed).toEqual(imported);
    await api.call("RevokeApiKey", { credential: rawKey, reason: "REVOCATION_REASON_SUPERSEDED" }, { token: null });
    expect(await api.verify({ credential: rawKey })).toMatchObject({ error_code: "VERIFICATION_ERROR_REVOKED" });
  });

  test("the digest of an issued key gives no control over it", async () => {
    const { keyId, secret } = await api.issue({ scopes: ["own"] });
    await api.call("AdminImportApiKey", { ...named, raw_key_sha256: sha256(secret, "hex"), scopes: ["all"] });
    expect(await api.verify({ credential: secret })).toMatchObject({ is_valid: true, key_id: keyId, scopes: ["own"] });
    await api.call("RevokeApiKey", { credential: secret, reason: "REVOCATION_REASON_SUPERSEDED" }, { token: null });
    expect(await api.verify({ credential: secret })).toMatchObject({ is_valid: false, key_id: keyId });
  });

  test.each([
    ["a key given twice", { ...request("sk_both"), raw_key_sha256: sha256("sk_both", "hex") }, "raw_key_sha256"],
    ["a key not given at all", named, "raw_key"],
    ["a digest that is too short", { ...named, raw_key_sha256: "abc123" }, "raw_key_sha256"],
    ["the digest of SHA-512", { ...named, raw_key_sha256: createHash("sha512").update("x").digest("hex") }, "raw_key_sha256"],
  ])("%s is refused", async (_what, body, field) => {
    expect(faults(await api.refused("AdminImportApiKey", body))).toEqual(["INVALID_ARGUMENT", field]);
  });
});

describe("refuses", () => {
  test.each([
    ["no raw key", { ...request("x"), raw_key: "" }, "raw_key"],
    ["no name", { ...request("x"), name: "" }, "name"],
    ["no actor", { ...request("x"), actor_id: "" }, "actor_id"],
    ["a raw key over 4096 bytes", request("é".repeat(2049)), "raw_key"],
    ["white space at the beginning", request(" sk"), "raw_key"],
    ["a line end at the end", request("sk\n"), "raw_key"],
    ["an issued key's shape with a wrong checksum", request(`kw_v1_01M84EA3CXZZ6P6YJ5PZ319B3Y_${"A".repeat(49)}`), "raw_key"],
    ["101 scopes", { ...request("x"), scopes: manyScopes(101) }, "scopes"],
  ])("%s", async (_what, body, field) => {
    const refusal = await api.refused("AdminImportApiKey", body);
    expect(faults(refusal)).toEqual(["INVALID_ARGUMENT", field]);
    expect(refusal.message).not.toContain(body.raw_key.trim() || "never");
  });
});

test("a raw key of 4096 bytes, with any characters between its ends, is accepted", async () => {
  for (const rawKey of ["k".repeat(4096), "a b\tc", "ключ 🔑 1", "a.b.c"]) {
    await api.call("AdminImportApiKey", request(rawKey));
    expect(await api.verify({ credential: rawKey })).toMatchObject({ is_valid: true });
  }
});
