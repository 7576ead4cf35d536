import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Api, startApi } from "../support/api.ts";
import { asObject } from "../support/clients/client.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

const disable = (keyId: string) => api.call("AdminDisableApiKey", { key_id: keyId });
const enable = (keyId: string) => api.call("AdminEnableApiKey", { key_id: keyId });
const isDisabled = { status: "KEY_STATUS_REVOKED", disabled: true };
const refusedAsDisabled = { error_code: "VERIFICATION_ERROR_REVOKED", error_message: "the key is disabled", status: "KEY_STATUS_REVOKED" };
const listed = async (method: string, field: string, filter: string) =>
  ((await api.call(method, { filter }))[field] as JsonObject[] | undefined)?.map(({ key_id }) => key_id) ?? [];

test("a disabled issued key and its tokens are refused until it is enabled", async () => {
  const { keyId, secret } = await api.issue({ actor_id: "disabled-one" });
  const derived = await api.call("AdminDeriveToken", { credential: secret, algorithm: "TOKEN_ALGORITHM_JWT" });
  const token = String(asObject(derived.token).token);
  await api.verify({ credential: secret });
  for (let round = 0; round < 2; round += 1) {
    await disable(keyId);
    await disable(keyId);
    for (const credential of [secret, token])
      expect(await api.verify({ credential })).toMatchObject({ is_valid: false, ...refusedAsDisabled });
    expect(await api.get(keyId)).toMatchObject(isDisabled);
    expect(await api.get(keyId)).not.toHaveProperty("revocation_reason");
    expect(await listed("AdminListIssuedApiKeys", "issued_api_keys", 'actor_id="disabled-one" AND status=KEY_STATUS_REVOKED')).toEqual([
      keyId,
    ]);
    expect(await listed("AdminListIssuedApiKeys", "issued_api_keys", 'actor_id="disabled-one" AND status=KEY_STATUS_ACTIVE')).toEqual([]);
    expect(await listed("AdminListIssuedApiKeys", "issued_api_keys", "disabled=true")).toEqual([keyId]);
    await api.call("AdminUpdateIssuedApiKey", { issued_api_key: { key_id: keyId, name: `round ${round}` } });
    expect(await api.get(keyId)).toMatchObject(isDisabled);
    await enable(keyId);
    await enable(keyId);
    for (const credential of [secret, token]) expect(await api.verify({ credential })).toMatchObject({ is_valid: true });
    expect(await api.get(keyId)).toMatchObject({ status: "KEY_STATUS_ACTIVE" });
    expect(await api.get(keyId)).not.toHaveProperty("disabled");
    expect(await listed("AdminListIssuedApiKeys", "issued_api_keys", "disabled=true")).toEqual([]);
  }
});

test("an imported key can be disabled and enabled too, and deleted while it is disabled", async () => {
  const key = await api.call("AdminImportApiKey", { raw_key: "disable-me", name: "n", actor_id: "a" });
  const keyId = String(key.key_id);
  await disable(keyId);
  expect(await api.verify({ credential: "disable-me" })).toMatchObject(refusedAsDisabled);
  expect(await api.call("AdminGetImportedApiKey", { key_id: keyId })).toMatchObject(isDisabled);
  expect(await listed("AdminListImportedApiKeys", "imported_api_keys", "disabled=true")).toEqual([keyId]);
  await enable(keyId);
  expect(await api.verify({ credential: "disable-me" })).toMatchObject({ is_valid: true });
  await disable(keyId);
  await api.call("AdminDeleteImportedApiKey", { key_id: keyId });
  expect(await api.verify({ credential: "disable-me" })).toMatchObject({ error_code: "VERIFICATION_ERROR_NOT_FOUND" });
});

test("a disabled key cannot be rotated or derived from, but its holder can revoke it; a revoked key stays revoked", async () => {
  const { keyId, secret } = await api.issue();
  await disable(keyId);
  const refusals = [
    await api.refused("AdminRotateIssuedApiKey", { key_id: keyId }),
    await api.refused("AdminDeriveToken", { credential: secret, algorithm: "TOKEN_ALGORITHM_JWT" }),
  ];
  expect(refusals.map(({ code, message }) => [code, message])).toEqual([
    ["FAILED_PRECONDITION", "the key is disabled"],
    ["FAILED_PRECONDITION", "the credential is disabled"],
  ]);
  await api.call("RevokeApiKey", { credential: secret, reason: "REVOCATION_REASON_KEY_COMPROMISE" });
  expect(await api.get(keyId)).toMatchObject({ status: "KEY_STATUS_REVOKED", revocation_reason: "REVOCATION_REASON_KEY_COMPROMISE" });
  expect(await api.get(keyId)).not.toHaveProperty("disabled");
  for (const method of ["AdminEnableApiKey", "AdminDisableApiKey"]) {
    expect((await api.refused(method, { key_id: keyId })).code).toBe("FAILED_PRECONDITION");
  }
  expect((await api.refused("AdminDisableApiKey", { key_id: "UNKNOWN" })).code).toBe("NOT_FOUND");
});
