import { ApiKeysApi, Configuration, KeyStatus, RevocationReason } from "@ory/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ServerProcess, startServer } from "../support/server-process.ts";

/** The official client of the reference's later version, @ory/client 1.22.66, from npm: every method of its ApiKeysApi. */
let server: ServerProcess;
let client: ApiKeysApi;
const called = new Set<string>();
beforeAll(async () => {
  server = await startServer();
  const { url: basePath, adminToken: accessToken } = server;
  client = new Proxy(new ApiKeysApi(new Configuration({ basePath, accessToken })), {
    get(target, name, receiver) {
      called.add(String(name));
      return Reflect.get(target, name, receiver);
    },
  });
});
afterAll(() => server?.[Symbol.asyncDispose]());

const verify = async (credential: string) => (await client.adminVerifyApiKey({ verifyApiKeyRequest: { credential } })).data;
const issue = async (name: string) => {
  const { status, data } = await client.adminIssueApiKey({ issueApiKeyRequest: { name, actor_id: "ann", scopes: ["read"], ttl: "24h" } });
  expect(status).toBe(201);
  return { keyId: data.issued_api_key?.key_id ?? "", secret: data.secret ?? "" };
};

test("a loop over the pages of an empty list ends without a key", async () => {
  const { data } = await client.adminListIssuedApiKeys({ filter: 'actor_id="nobody"' });
  const keyIds: string[] = [];
  for (const { key_id } of data.issued_api_keys as Iterable<{ key_id: string }>) keyIds.push(key_id);
  expect([keyIds, data.next_page_token]).toEqual([[], ""]);
  expect((await client.adminListImportedApiKeys({ filter: 'actor_id="nobody"' })).data).toEqual({
    imported_api_keys: [],
    next_page_token: "",
  });
});

test("issued keys from issue to revocation", async () => {
  const { keyId, secret } = await issue("ci");
  expect(await verify(secret)).toMatchObject({ is_valid: true, key_id: keyId, scopes: ["read"] });
  expect((await client.adminGetIssuedApiKey({ keyId })).data).toMatchObject({ name: "ci", status: KeyStatus.KeyStatusActive });
  const listed = await client.adminListIssuedApiKeys({ pageSize: 10, filter: 'actor_id="ann"' });
  expect(listed.data.issued_api_keys?.map(({ key_id }) => key_id)).toContain(keyId);
  const updated = await client.adminUpdateIssuedApiKey({ keyId, adminUpdateIssuedApiKeyRequest: { name: "cd" }, updateMask: "name" });
  expect(updated.data).toMatchObject({ name: "cd", scopes: ["read"] });

  const rotated = await client.adminRotateIssuedApiKey({ keyId, adminRotateIssuedApiKeyBody: { scopes: ["write"] } });
  expect(rotated.data.old_issued_api_key).toMatchObject({ key_id: keyId, revocation_reason: RevocationReason.RevocationReasonSuperseded });
  const successor = rotated.data.issued_api_key?.key_id ?? "";
  const reason = RevocationReason.RevocationReasonPrivilegeWithdrawn;
  const body = { reason, description: "left the project" };
  expect((await client.adminRevokeIssuedApiKey({ keyId: successor, adminRevokeIssuedApiKeyBody: body })).status).toBe(204);
  expect(await verify(rotated.data.secret ?? "")).toMatchObject({ is_valid: false, error_code: "VERIFICATION_ERROR_REVOKED" });
});

test("imported keys from import to deletion", async () => {
  const importApiKeyRequest = { raw_key: "sk_one", name: "Stripe", actor_id: "ann", metadata: { source: "stripe" } };
  const { status, data } = await client.adminImportApiKey({ importApiKeyRequest });
  expect(status).toBe(201);
  const keyId = data.key_id ?? "";
  expect((await client.adminGetImportedApiKey({ keyId })).data).toMatchObject({ name: "Stripe", metadata: { source: "stripe" } });
  expect((await client.adminListImportedApiKeys()).data.imported_api_keys?.map(({ key_id }) => key_id)).toEqual([keyId]);
  const change = { keyId, adminUpdateImportedApiKeyRequest: { scopes: ["pay"] }, updateMask: "scopes" };
  expect((await client.adminUpdateImportedApiKey(change)).data.scopes).toEqual(["pay"]);
  const adminRevokeImportedApiKeyBody = { reason: RevocationReason.RevocationReasonKeyCompromise };
  expect((await client.adminRevokeImportedApiKey({ keyId, adminRevokeImportedApiKeyBody })).status).toBe(204);
  expect((await client.adminDeleteImportedApiKey({ keyId })).status).toBe(204);
  await expect(client.adminGetImportedApiKey({ keyId })).rejects.toMatchObject({ response: { status: 404, data: { code: 5 } } });
});

test("batches", async () => {
  const requests = ["sk_batch", "sk_batch", ""].map((raw_key) => ({ raw_key, name: "Stripe", actor_id: "ann" }));
  const created = await client.adminBatchCreateImportedApiKeys({ batchCreateImportedApiKeysRequest: { requests } });
  expect(created.data).toMatchObject({
    results: [
      { index: 0, imported_api_key: { status: "KEY_STATUS_ACTIVE" } },
      { index: 1, error_code: "BATCH_CREATE_IMPORTED_API_KEYS_ERROR_ALREADY_EXISTS" },
      { index: 2, error_code: "BATCH_CREATE_IMPORTED_API_KEYS_ERROR_INVALID_ARGUMENT" },
    ],
    success_count: 1,
    failure_count: 2,
  });
  const credentials = ["sk_batch", "sk_absent"].map((credential) => ({ credential }));
  const verified = await client.adminBatchVerifyApiKeys({
    batchVerifyApiKeysRequest: { requests: credentials },
    cacheControl: "no-cache",
  });
  expect(verified.data.results?.map(({ is_valid }) => is_valid)).toEqual([true, false]);
});

test("self-revocation, which needs no token", async () => {
  const { secret } = await issue("own");
  const anonymous = new ApiKeysApi(new Configuration({ basePath: server.url }));
  const selfRevokeApiKeyRequest = { credential: secret, reason: RevocationReason.RevocationReasonSuperseded };
  expect((await anonymous.revokeApiKey({ selfRevokeApiKeyRequest })).data).toEqual({});
  expect((await verify(secret)).is_valid).toBe(false);
  called.add("revokeApiKey");
});

test("the JWKS", async () => {
  const { data } = await client.getJwks();
  expect(data.jwks?.keys[0]).toMatchObject({ kty: "OKP", crv: "Ed25519", kid: expect.any(String) });
});

test("derived tokens", async () => {
  const { secret } = await issue("root");
  const { data } = await client.adminDeriveToken({ deriveTokenRequest: { credential: secret, ttl: "60s", scopes: ["read"] } });
  expect(data.token).toMatchObject({ scopes: ["read"], expire_time: expect.any(String) });
  expect(await verify(data.token?.token ?? "")).toMatchObject({ is_valid: true, scopes: ["read"] });
});

test("every method was called", () => {
  expect(Object.getOwnPropertyNames(ApiKeysApi.prototype).filter((name) => name !== "constructor" && !called.has(name))).toEqual([]);
});
