import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Api, faults, startApi } from "../support/api.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

function update(keyId: string, key: JsonObject, updateMask?: string): Promise<JsonObject> {
  const request = { issued_api_key: { key_id: keyId, ...key }, ...(updateMask === undefined ? {} : { update_mask: updateMask }) };
  return api.call("AdminUpdateIssuedApiKey", request);
}

test("without a mask it writes the populated fields", async () => {
  const { keyId, key } = await api.issue({ name: "old", scopes: ["a"], metadata: { a: 1 } });
  expect(await update(keyId, { name: "new", scopes: [] })).toEqual({ ...key, name: "new", update_time: expect.any(String) });
});

test("an empty mask counts as absent", async () => {
  const { keyId, key } = await api.issue({ name: "old", metadata: { a: 1 } });
  expect(await update(keyId, { name: "new" }, "")).toEqual({ ...key, name: "new", update_time: expect.any(String) });
});

test("a scope that is given twice counts once", async () => {
  const { keyId } = await api.issue();
  expect((await update(keyId, { scopes: ["b", "a", "b"] })).scopes).toEqual(["b", "a"]);
  expect((await api.get(keyId)).scopes).toEqual(["b", "a"]);
});

test("it returns the stored key", async () => {
  const { keyId } = await api.issue();
  const change = {
    name: "new",
    scopes: ["x"],
    metadata: { list: [1, { deep: null }] },
    rate_limit_policy: { quota: "9223372036854775807", window: "1.500s", unit: "content-bytes" },
    ip_restriction: { allowed_cidrs: ["192.0.2.0/24"] },
  };
  const updated = await update(keyId, change);
  expect(updated).toMatchObject(change);
  expect(await api.get(keyId)).toEqual(updated);
});

test("verify sees a change at once, although the key is cached", async () => {
  const { keyId, secret } = await api.issue({ scopes: ["old"] });
  expect(await api.verify({ credential: secret })).toMatchObject({ scopes: ["old"] });
  await update(keyId, { scopes: ["new"] });
  expect(await api.verify({ credential: secret })).toMatchObject({ scopes: ["new"] });
  await update(keyId, { ip_restriction: { allowed_cidrs: ["192.0.2.0/24"] } });
  expect(await api.verify({ credential: secret })).toMatchObject({ is_valid: false, error_code: "VERIFICATION_ERROR_IP_NOT_ALLOWED" });
});

test("a mask without the field's value clears it", async () => {
  const { keyId } = await api.issue({ name: "x", ip_restriction: { allowed_cidrs: ["192.0.2.0/24"] }, metadata: { a: 1 } });
  const { name, ip_restriction, metadata } = await update(keyId, {}, "name,ipRestriction");
  expect([name, ip_restriction, metadata]).toEqual([undefined, undefined, { a: 1 }]);
});

test("a revoked key stays revoked", async () => {
  const { keyId, secret } = await api.issue();
  await api.call("AdminRevokeApiKey", { key_id: keyId, reason: "REVOCATION_REASON_SUPERSEDED" });
  expect(await update(keyId, { name: "renamed" })).toMatchObject({ name: "renamed", status: "KEY_STATUS_REVOKED" });
  expect(await api.verify({ credential: secret })).toMatchObject({ error_code: "VERIFICATION_ERROR_REVOKED" });
});

describe("what cannot change", () => {
  test.each<[JsonObject, string]>([
    [{ actor_id: "another" }, "issued_api_key.actor_id"],
    [{ visibility: "KEY_VISIBILITY_PUBLIC" }, "issued_api_key.visibility"],
    [{ visibility: 77 }, "issued_api_key.visibility"],
  ])("%j is refused, not ignored", async (change, field) => {
    const { keyId, key } = await api.issue({ actor_id: "one" });
    const refusal = await api.refused("AdminUpdateIssuedApiKey", { issued_api_key: { key_id: keyId, name: "x", ...change } });
    expect(faults(refusal)).toEqual(["INVALID_ARGUMENT", field]);
    expect(await api.get(keyId)).toEqual(key);
  });

  test("may be sent unchanged", async () => {
    const { keyId, key } = await api.issue({ actor_id: "one" });
    expect(await update(keyId, { ...key, name: "x" })).toMatchObject({ name: "x" });
  });
});

test.each<[JsonObject, string]>([
  [{ issued_api_key: { name: "x" } }, "issued_api_key.key_id"],
  [{}, "issued_api_key"],
  [{ issued_api_key: { key_id: "x", scopes: ["a b"] } }, "issued_api_key.scopes[0]"],
  [{ issued_api_key: { key_id: "x" }, update_mask: "lastUsedTime" }, "update_mask"],
])("%j is refused for %s", async (request, field) => {
  expect(faults(await api.refused("AdminUpdateIssuedApiKey", request))).toEqual(["INVALID_ARGUMENT", field]);
});

test("a mask with a field that no update writes is refused with the fields that it may name", async () => {
  const { message } = await api.refused("AdminUpdateIssuedApiKey", { issued_api_key: { key_id: "x" }, update_mask: "actorId" });
  expect(message).toMatch(/"actor_id" cannot be written; the mask may name name, /);
});

test("an unknown key returns NOT_FOUND", async () => {
  expect(faults(await api.refused("AdminUpdateIssuedApiKey", { issued_api_key: { key_id: "absent", name: "x" } }))).toEqual(["NOT_FOUND"]);
});

test("10 concurrent updates all take effect", async () => {
  const { keyId } = await api.issue();
  const scopes = Array.from({ length: 10 }, (_, index) => [`s${index}`]);
  const updated = await Promise.all(scopes.map((each) => update(keyId, { scopes: each })));
  expect(updated.map((key) => key.scopes)).toEqual(scopes);
});
