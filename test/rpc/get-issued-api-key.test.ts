import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiHere, startApi } from "../support/api.ts";

let api: ApiHere;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

test("the status is the current one", async () => {
  const { keyId, key } = await api.issue({ ttl: "1s" });
  expect(key.status).toBe("KEY_STATUS_ACTIVE");
  api.pass(1050);
  expect(await api.get(keyId)).toEqual({ ...key, status: "KEY_STATUS_EXPIRED" });
});

test("revoked takes precedence over expired", async () => {
  const { keyId } = await api.issue({ ttl: "1s" });
  await api.call("AdminRevokeApiKey", { key_id: keyId, reason: "REVOCATION_REASON_SUPERSEDED" });
  api.pass(1050);
  expect(await api.get(keyId)).toMatchObject({ status: "KEY_STATUS_REVOKED" });
});

test("key ids are compared exactly", async () => {
  const { keyId } = await api.issue();
  for (const other of [keyId.toLowerCase(), ` ${keyId}`, `${keyId}'--`]) {
    expect(await api.refused("AdminGetIssuedApiKey", { key_id: other })).toMatchObject({ code: "NOT_FOUND", reason: "KEY_NOT_FOUND" });
  }
});

test("get and list never return the secret", async () => {
  const { keyId, secret } = await api.issue({ name: "quiet" });
  const seen = JSON.stringify([await api.get(keyId), await api.call("AdminListIssuedApiKeys", {})]);
  expect(seen).toContain("quiet");
  expect(seen).not.toContain(secret.slice(-40));
});
