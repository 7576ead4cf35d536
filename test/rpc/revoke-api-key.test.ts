import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Api, delay, faults, startApi } from "../support/api.ts";

const withdrawn = "REVOCATION_REASON_PRIVILEGE_WITHDRAWN";
let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

test.each(["REVOCATION_REASON_KEY_COMPROMISE", "REVOCATION_REASON_AFFILIATION_CHANGED", "REVOCATION_REASON_SUPERSEDED", withdrawn])(
  "%s is kept",
  async (reason) => {
    const { keyId, secret } = await api.issue();
    await api.call("AdminRevokeApiKey", { key_id: keyId, reason });
    expect(await api.get(keyId)).toMatchObject({ status: "KEY_STATUS_REVOKED", revocation_reason: reason });
    expect(await api.verify({ credential: secret })).toMatchObject({ is_valid: false, error_code: "VERIFICATION_ERROR_REVOKED" });
  },
);

test("a second revocation succeeds and changes nothing", async () => {
  const { keyId } = await api.issue();
  await api.call("AdminRevokeApiKey", { key_id: keyId, reason: withdrawn, description: "first" });
  const after = await api.get(keyId);
  await api.call("AdminRevokeApiKey", { key_id: keyId, reason: "REVOCATION_REASON_KEY_COMPROMISE" });
  await api.call("AdminRevokeApiKey", { key_id: keyId, reason: withdrawn, description: "second" });
  expect(await api.get(keyId)).toEqual(after);
  expect(after).toMatchObject({ revocation_reason: withdrawn, revocation_description: "first" });
});

test("20 revocations at once all succeed with one reason", async () => {
  const { keyId } = await api.issue();
  const descriptions = Array.from({ length: 20 }, (_, index) => `number ${index}`);
  await Promise.all(descriptions.map((description) => api.call("AdminRevokeApiKey", { key_id: keyId, reason: withdrawn, description })));
  expect(descriptions).toContain((await api.get(keyId)).revocation_description);
});

test("an expired key can be revoked", async () => {
  const { keyId } = await api.issue({ ttl: "1s" });
  await delay(1050);
  await api.call("AdminRevokeApiKey", { key_id: keyId, reason: "REVOCATION_REASON_KEY_COMPROMISE" });
  expect(await api.get(keyId)).toMatchObject({ status: "KEY_STATUS_REVOKED" });
});

describe("refused", () => {
  test.each<[JsonObject, string]>([
    [{ reason: "REVOCATION_REASON_KEY_COMPROMISE", description: "why" }, "description"],
    [{ reason: withdrawn, description: "x".repeat(1025) }, "description"],
    [{ reason: "REVOCATION_REASON_UNSPECIFIED" }, "reason"],
    [{ reason: 5 }, "reason"],
    [{}, "reason"],
  ])("%j for %s", async (request, field) => {
    const { keyId } = await api.issue();
    expect(faults(await api.refused("AdminRevokeApiKey", { key_id: keyId, ...request }))).toEqual(["INVALID_ARGUMENT", field]);
    expect(await api.get(keyId)).toMatchObject({ status: "KEY_STATUS_ACTIVE" });
  });

  test("an absent key", async () => {
    expect(faults(await api.refused("AdminRevokeApiKey", { key_id: "absent", reason: withdrawn }))).toEqual(["NOT_FOUND"]);
  });
});

test("a description of 1024 characters is kept", async () => {
  const { keyId } = await api.issue();
  const description = "ü".repeat(1024);
  await api.call("AdminRevokeApiKey", { key_id: keyId, reason: withdrawn, description });
  expect((await api.get(keyId)).revocation_description).toBe(description);
});

test.each(["Issued", "Imported"] as const)("AdminRevoke%sApiKey revokes its own kind and does not find the other", async (kind) => {
  const method = `AdminRevoke${kind}ApiKey`;
  const { keyId: issued, secret } = await api.issue();
  const raw_key = `sk of ${kind}`;
  const imported = String((await api.call("AdminImportApiKey", { raw_key, name: "x", actor_id: "x" })).key_id);
  const [own, other] = kind === "Issued" ? [issued, imported] : [imported, issued];
  const [ownKey, otherKey] = kind === "Issued" ? [secret, raw_key] : [raw_key, secret];
  expect(await api.refused(method, { key_id: other, reason: withdrawn })).toMatchObject({ reason: "KEY_NOT_FOUND" });
  expect(await api.verify({ credential: otherKey })).toMatchObject({ is_valid: true });
  await api.call(method, { key_id: own, reason: withdrawn, description: "why" });
  expect(await api.verify({ credential: ownKey })).toMatchObject({ is_valid: false, error_code: "VERIFICATION_ERROR_REVOKED" });
  expect(faults(await api.refused(method, { key_id: own, reason: "REVOCATION_REASON_UNSPECIFIED" }))).toEqual([
    "INVALID_ARGUMENT",
    "reason",
  ]);
});
