import { afterAll, beforeAll, expect, test } from "vitest";
import { type Api, startApi } from "../support/api.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

const importKey = async (raw_key: string) => String((await api.call("AdminImportApiKey", { raw_key, name: "n", actor_id: "a" })).key_id);

test("a deleted key is refused at once, even by verifiers that cached it", async () => {
  const keyId = await importKey("sk_gone");
  expect(await api.verify({ credential: "sk_gone" })).toMatchObject({ is_valid: true });
  await api.call("AdminDeleteImportedApiKey", { key_id: keyId });
  expect(await api.verify({ credential: "sk_gone" })).toMatchObject({ is_valid: false, error_code: "VERIFICATION_ERROR_NOT_FOUND" });
  for (const method of ["AdminGetImportedApiKey", "AdminDeleteImportedApiKey"]) {
    expect(await api.refused(method, { key_id: keyId })).toMatchObject({ code: "NOT_FOUND", reason: "KEY_NOT_FOUND" });
  }
});

test("a key that is imported again has the same id and verifies at once, every time", async () => {
  const keyId = await importKey("sk_back");
  for (let round = 0; round < 5; round += 1) {
    expect(await api.verify({ credential: "sk_back" })).toMatchObject({ is_valid: true });
    await api.call("AdminDeleteImportedApiKey", { key_id: keyId });
    expect(await api.verify({ credential: "sk_back" })).toMatchObject({ is_valid: false });
    expect(await importKey("sk_back")).toBe(keyId);
  }
  expect(await api.verify({ credential: "sk_back" })).toMatchObject({ is_valid: true });
});

test("issued keys cannot be deleted", async () => {
  const { keyId } = await api.issue();
  expect(await api.refused("AdminDeleteImportedApiKey", { key_id: keyId })).toMatchObject({ reason: "KEY_NOT_FOUND" });
  expect(await api.get(keyId)).toMatchObject({ status: "KEY_STATUS_ACTIVE" });
});
