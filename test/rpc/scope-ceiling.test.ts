import { hash } from "node:crypto";
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { asObject, type Client } from "../support/clients/client.ts";
import { connectJson } from "../support/clients/connect-json.ts";
import { refused, succeed } from "../support/clients.ts";
import { token } from "../support/role-tokens.ts";
import { startServerHere } from "../support/server-here.ts";
import type { RunningServer } from "../support/server-process.ts";

const [admin, bounded, everywhere, expired, elsewhere] = [token(), token(), token(), token(), token()];
let server: RunningServer;
/** A client with the role `admin` and the ceiling `[read, write]`. */
let client: Client;

beforeAll(async () => {
  const config = [
    "admin_tokens:",
    `  - { name: bounded, sha256: ${hash("sha256", bounded)}, roles: [admin], scope_ceiling: [read, write] }`,
    `  - { name: everywhere, sha256: ${hash("sha256", everywhere)}, roles: [admin], tenants: ["*"], scope_ceiling: [read] }`,
    `  - { name: expired, sha256: ${hash("sha256", expired)}, roles: [admin], expires: 2020-01-01T00:00:00Z }`,
    `  - { name: elsewhere, sha256: ${hash("sha256", elsewhere)}, roles: [admin], tenants: [acme] }`,
    "",
  ].join("\n");
  server = await startServerHere({ config, env: { KEYWRIGHT_ADMIN_TOKEN: admin } });
  client = connectJson.open(server.url, bounded);
});
afterAll(async () => {
  await client?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

const limit = { quota: "10", window: "60s" };

/** A key issued by an administrator without a ceiling. */
async function keyOf(key: JsonObject): Promise<{ key_id: string; secret: string }> {
  const { issued_api_key, secret } = await succeed(client, "AdminIssueApiKey", key, { token: admin });
  return { key_id: String(asObject(issued_api_key).key_id), secret: String(secret) };
}

async function expectBeyond(methodName: string, request: JsonObject, field: string): Promise<void> {
  const reply = await refused(client, methodName, request);
  expect(reply, methodName).toMatchObject({ code: "PERMISSION_DENIED", reason: "PERMISSION_DENIED", violations: [{ field }] });
}

test("scopes beyond the ceiling are refused in every method that accepts scopes", async () => {
  const { key_id, secret } = await keyOf({ scopes: ["read", "root"] });
  const beyond = ["read", "root"];
  await expectBeyond("AdminIssueApiKey", { scopes: beyond }, "scopes[1]");
  await expectBeyond("AdminImportApiKey", { raw_key: crypto.randomUUID(), name: "a", actor_id: "b", scopes: beyond }, "scopes[1]");
  await expectBeyond("AdminUpdateIssuedApiKey", { issued_api_key: { key_id, scopes: beyond } }, "issued_api_key.scopes[1]");
  await expectBeyond("AdminRotateIssuedApiKey", { key_id }, "scopes[1]");
  await expectBeyond("AdminRotateIssuedApiKey", { key_id, scopes: ["root"], override_mask: "scopes" }, "scopes[0]");
  await expectBeyond("AdminDeriveToken", { credential: secret }, "scopes[1]");
  const { key_id: importedId } = await succeed(client, "AdminImportApiKey", { raw_key: crypto.randomUUID(), name: "a", actor_id: "b" });
  await expectBeyond(
    "AdminUpdateImportedApiKey",
    { imported_api_key: { key_id: String(importedId), scopes: ["root"] } },
    "imported_api_key.scopes[0]",
  );
});

test("a key with scopes beyond the ceiling may be disabled, and not enabled again", async () => {
  const { key_id } = await keyOf({ scopes: ["read", "root"] });
  await succeed(client, "AdminDisableApiKey", { key_id });
  await expectBeyond("AdminEnableApiKey", { key_id }, "scopes[1]");
  await succeed(client, "AdminEnableApiKey", { key_id }, { token: admin });
});

test("a caller with a ceiling may suspend a tenant, and not resume it", async () => {
  await succeed(client, "AdminCreateTenant", { tenant_id: "paused" }, { token: admin });
  await succeed(client, "AdminSuspendTenant", { tenant_id: "paused" }, { token: everywhere });
  const reply = await refused(client, "AdminResumeTenant", { tenant_id: "paused" }, { token: everywhere });
  expect(reply).toMatchObject({ code: "PERMISSION_DENIED", reason: "PERMISSION_DENIED" });
  await succeed(client, "AdminResumeTenant", { tenant_id: "paused" }, { token: admin });
});

test("an item of a batch beyond the ceiling fails alone", async () => {
  const anItem = (scope: string) => ({ raw_key: crypto.randomUUID(), name: "a", actor_id: "b", scopes: [scope] });
  for (const method of ["AdminBatchImportApiKeys", "AdminBatchCreateImportedApiKeys"]) {
    const answer = await succeed(client, method, { requests: [anItem("read"), anItem("root")] });
    expect(answer).toMatchObject({ success_count: 1, failure_count: 1 });
    const results = answer.results as readonly JsonObject[];
    // Not INTERNAL, which would ask the caller to try again.
    expect(results[1]).toMatchObject({
      error_code: expect.stringMatching(/_ERROR_INVALID_ARGUMENT$/),
      error_message: "scopes[0]: beyond the scope ceiling of the caller",
    });
  }
});

test("calls within the ceiling succeed, and so do calls that grant no scopes", async () => {
  await succeed(client, "AdminIssueApiKey", { scopes: ["read", "write"] });
  const { key_id, secret } = await keyOf({ scopes: ["read", "root"] });
  await succeed(client, "AdminDeriveToken", { credential: secret, scopes: ["read"] });
  await succeed(client, "AdminUpdateIssuedApiKey", { issued_api_key: { key_id, name: "new" }, update_mask: "name" });
  await succeed(client, "AdminRotateIssuedApiKey", { key_id, scopes: ["write"], override_mask: "scopes" });
});

test.each([
  ["removed", null],
  ["raised", { quota: "11", window: "60s" }],
  ["raised by a shorter window", { quota: "10", window: "59s" }],
])("a rate limit cannot be %s", async (_, policy) => {
  const { key_id } = await keyOf({ rate_limit_policy: limit });
  const change: JsonObject = policy === null ? {} : { rate_limit_policy: policy };
  const mask = "rate_limit_policy";
  await expectBeyond("AdminUpdateIssuedApiKey", { issued_api_key: { key_id, ...change }, update_mask: mask }, `issued_api_key.${mask}`);
  await expectBeyond("AdminRotateIssuedApiKey", { key_id, ...change, override_mask: mask }, mask);
});

test("a rate limit can be lowered", async () => {
  const { key_id } = await keyOf({ rate_limit_policy: limit });
  await succeed(client, "AdminUpdateIssuedApiKey", {
    issued_api_key: { key_id, rate_limit_policy: { quota: "5", window: "60s" } },
    update_mask: "rate_limit_policy",
  });
});

test("a token that has expired is UNAUTHENTICATED, with the challenge of RFC 6750", async () => {
  const reply = await refused(client, "AdminIssueApiKey", {}, { token: expired });
  expect(reply.code).toBe("UNAUTHENTICATED");
  expect(reply.headers.get("www-authenticate")).toBe('Bearer realm="keywright", error="invalid_token"');
});

test("a token whose tenants do not include the tenant of the call is refused", async () => {
  for (const method of ["AdminIssueApiKey", "AdminListIssuedApiKeys"]) {
    const reply = await refused(client, method, {}, { token: elsewhere, headers: { "keywright-tenant": "default" } });
    expect(reply).toMatchObject({ code: "PERMISSION_DENIED", reason: "TENANT_DENIED" });
    expect(reply.headers.get("www-authenticate")).toBe('Bearer realm="keywright", error="insufficient_scope"');
  }
});
