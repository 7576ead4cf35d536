import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ApiHere, faults, startApi } from "../support/api.ts";
import { asObject } from "../support/clients/client.ts";

let api: ApiHere;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

async function rotate(keyId: string, overrides: JsonObject = {}): Promise<{ key: JsonObject; old: JsonObject; secret: string }> {
  const { issued_api_key, old_issued_api_key, secret } = await api.call("AdminRotateIssuedApiKey", { key_id: keyId, ...overrides });
  return { key: asObject(issued_api_key), old: asObject(old_issued_api_key), secret: String(secret) };
}

const everything = {
  name: "whole",
  actor_id: "user_1",
  scopes: ["a", "b"],
  metadata: { a: 1 },
  rate_limit_policy: { quota: "5", window: "60s", unit: "requests" },
  ip_restriction: { allowed_cidrs: ["127.0.0.0/8"] },
  ttl: "3600s",
  visibility: "KEY_VISIBILITY_PUBLIC",
};

test("the new key has everything that the old one had, including its expiry, but not its last use", async () => {
  const { keyId, key, secret } = await api.issue(everything);
  await api.verify({ credential: secret });
  const rotated = await rotate(keyId);
  expect(rotated.key).toEqual({
    ...key,
    key_id: expect.any(String),
    create_time: expect.any(String),
    update_time: rotated.key.create_time,
  });
  expect(rotated.key.key_id).not.toBe(keyId);
  expect(rotated.secret.startsWith(`kw_pub_v1_${rotated.key.key_id}_`)).toBe(true);
  expect(rotated.old).toMatchObject({ key_id: keyId, status: "KEY_STATUS_REVOKED", revocation_reason: "REVOCATION_REASON_SUPERSEDED" });
  expect(await api.get(keyId)).toMatchObject({ status: "KEY_STATUS_REVOKED" });
});

describe("overrides", () => {
  test.each<[JsonObject, JsonObject]>([
    [{ name: "new" }, { name: "new", scopes: ["a", "b"] }],
    [{ scopes: ["c"] }, { name: "whole", scopes: ["c"] }],
    [{ scopes: ["c", "b", "c"] }, { scopes: ["c", "b"] }],
    [
      { name: "new", scopes: ["c"], override_mask: "" },
      { name: "new", scopes: ["c"], metadata: { a: 1 } },
    ],
    [{ override_mask: "" }, { name: "whole", scopes: ["a", "b"] }],
    [{ metadata: {} }, { metadata: {}, scopes: ["a", "b"] }],
    [{ visibility: "KEY_VISIBILITY_SECRET" }, { visibility: "KEY_VISIBILITY_SECRET" }],
    [{ rate_limit_policy: { quota: "6", window: "1s" } }, { rate_limit_policy: { quota: "6", window: "1s", unit: "requests" } }],
  ])("%j", async (overrides, expected) => {
    const { keyId } = await api.issue(everything);
    expect((await rotate(keyId, overrides)).key).toMatchObject(expected);
  });

  test("override_mask clears fields that protobuf cannot show as present", async () => {
    const { keyId } = await api.issue(everything);
    const { key } = await rotate(keyId, { override_mask: "scopes,ipRestriction", name: "not in the mask" });
    expect([key.name, key.scopes, key.ip_restriction, key.metadata]).toEqual(["whole", undefined, undefined, { a: 1 }]);
  });

  test("override_mask may name only fields that may be overridden", async () => {
    const { keyId } = await api.issue();
    const refusal = await api.refused("AdminRotateIssuedApiKey", { key_id: keyId, override_mask: "name,actorId" });
    expect(faults(refusal)).toEqual(["INVALID_ARGUMENT", "override_mask"]);
    expect(await api.get(keyId)).toMatchObject({ status: "KEY_STATUS_ACTIVE" });
  });
});

describe("only an active key", () => {
  test("is rotated, not a revoked one", async () => {
    const { keyId } = await api.issue();
    await api.call("AdminRevokeApiKey", { key_id: keyId, reason: "REVOCATION_REASON_KEY_COMPROMISE" });
    expect(faults(await api.refused("AdminRotateIssuedApiKey", { key_id: keyId }))).toEqual(["FAILED_PRECONDITION"]);
    expect(await api.get(keyId)).toMatchObject({ revocation_reason: "REVOCATION_REASON_KEY_COMPROMISE" });
  });

  test("is rotated, not an expired one", async () => {
    const { keyId } = await api.issue({ ttl: "1s" });
    api.pass(1050);
    expect(faults(await api.refused("AdminRotateIssuedApiKey", { key_id: keyId }))).toEqual(["FAILED_PRECONDITION"]);
  });

  test("is rotated, not an unknown one", async () => {
    expect(faults(await api.refused("AdminRotateIssuedApiKey", { key_id: "absent" }))).toEqual(["NOT_FOUND"]);
  });
});

test("of 20 concurrent rotations exactly one succeeds, and there is one new key", async () => {
  const { keyId, secret } = await api.issue({ actor_id: "contended" });
  await api.verify({ credential: secret });
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => rotate(keyId)));
  const won = outcomes.filter((outcome) => outcome.status === "fulfilled").map(({ value }) => value);
  const lost = outcomes.filter((outcome) => outcome.status === "rejected").map(({ reason }) => String(reason));
  expect(won).toHaveLength(1);
  expect(lost.filter((reason) => reason.includes("FAILED_PRECONDITION KEY_NOT_ACTIVE"))).toHaveLength(19);
  expect((await api.call("AdminListIssuedApiKeys", { filter: "actor_id=contended" })).issued_api_keys).toHaveLength(2);
  expect(await api.verify({ credential: won[0]?.secret ?? "" })).toMatchObject({ is_valid: true });
  expect(await api.verify({ credential: secret })).toMatchObject({ error_code: "VERIFICATION_ERROR_REVOKED" });
});
