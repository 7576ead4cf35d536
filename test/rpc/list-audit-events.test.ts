import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Api, faults, startApi } from "../support/api.ts";
import { createRoleTokens } from "../support/role-tokens.ts";

const tokens = createRoleTokens();
const compromised = "REVOCATION_REASON_KEY_COMPROMISE";
let api: Api;
beforeAll(async () => {
  api = await startApi("json-http", { config: tokens.config, env: { KEYWRIGHT_ADMIN_TOKEN: tokens.admin } });
});
afterAll(() => api?.[Symbol.asyncDispose]());

async function events(filter: string, more: JsonObject = {}): Promise<JsonObject[]> {
  const { audit_events } = await api.call("AdminListAuditEvents", { filter, ...more });
  return (audit_events ?? []) as JsonObject[];
}

/** The content of an event apart from who and when. */
const gist = ({ method, key_ids, changed_fields, revocation_reason, error_reason }: JsonObject) =>
  JSON.parse(JSON.stringify({ method, key_ids, changed_fields, revocation_reason, error_reason }));

test("each kind of change of an issued key has its event, newest first", async () => {
  const issued = await api.issue({ name: "one", scopes: ["read"] });
  const { keyId } = issued;
  const resource = { key_id: keyId, name: "two", scopes: ["read"] };
  await api.call("AdminUpdateIssuedApiKey", { issued_api_key: resource, update_mask: "name,scopes" });
  const rotated = await api.call("AdminRotateIssuedApiKey", { key_id: keyId, scopes: [] });
  const successor = String((rotated.issued_api_key as JsonObject).key_id);
  await api.call("RevokeApiKey", { credential: rotated.secret as string, reason: compromised }, { token: null });
  // This changes nothing any more.
  await api.call("AdminRevokeApiKey", { key_id: successor, reason: "REVOCATION_REASON_SUPERSEDED" });

  const rotation = { method: "AdminRotateIssuedApiKey", key_ids: [keyId, successor], changed_fields: ["scopes"] };
  const found = await events(`key_id="${keyId}"`);
  expect(found.map(gist)).toEqual([
    { ...rotation, revocation_reason: "REVOCATION_REASON_SUPERSEDED" },
    { method: "AdminUpdateIssuedApiKey", key_ids: [keyId], changed_fields: ["name"] },
    { method: "AdminIssueApiKey", key_ids: [keyId] },
  ]);
  expect(found.map(({ caller }) => caller)).toEqual(["admin", "admin", "admin"]);
  const [selfRevocation, ...others] = await events(`key_id=${successor}`);
  expect(gist(selfRevocation as JsonObject)).toEqual({ method: "RevokeApiKey", key_ids: [successor], revocation_reason: compromised });
  expect(selfRevocation).not.toHaveProperty("caller");
  expect(selfRevocation).toMatchObject({ client_address: "127.0.0.1" });
  expect(others.map(({ method }) => method)).toEqual(["AdminRotateIssuedApiKey"]);
  expect(JSON.stringify(found)).not.toContain(issued.secret);
});

test("so does each kind of change of imported keys; a batch has one event for all added keys", async () => {
  const item = (raw_key: string) => ({ raw_key, name: "n", actor_id: "a" });
  const { key_id: one } = await api.call("AdminImportApiKey", { ...item("raw-1"), metadata: { note: "private-note" } });
  const batch = await api.call("AdminBatchImportApiKeys", { requests: [item("raw-1"), item("raw-2"), item("raw-3")] });
  const [, two, three] = (batch.results as JsonObject[]).map((result) => (result.imported_api_key as JsonObject | undefined)?.key_id);
  const resource = { key_id: one as string, name: "n", metadata: { note: "another-note" } };
  await api.call("AdminUpdateImportedApiKey", { imported_api_key: resource });
  await api.call("AdminRevokeApiKey", {
    key_id: one as string,
    reason: "REVOCATION_REASON_PRIVILEGE_WITHDRAWN",
    description: "why-it-was",
  });
  await api.call("AdminDeleteImportedApiKey", { key_id: one as string });

  const found = [...(await events(`key_id=${one}`)), ...(await events(`key_id=${three}`))];
  expect(found.map(gist)).toEqual([
    { method: "AdminDeleteImportedApiKey", key_ids: [one] },
    { method: "AdminRevokeApiKey", key_ids: [one], revocation_reason: "REVOCATION_REASON_PRIVILEGE_WITHDRAWN" },
    { method: "AdminUpdateImportedApiKey", key_ids: [one], changed_fields: ["metadata"] },
    { method: "AdminImportApiKey", key_ids: [one] },
    { method: "AdminBatchImportApiKeys", key_ids: [two, three] },
  ]);
  expect(JSON.stringify(found)).not.toMatch(/raw-|-note|why-it-was/);
});

test("a call is found by its request id and time; a credential sent as a request id is not stored", async () => {
  const before = new Date().toISOString();
  const { keyId, secret } = await api.issue();
  await api.call("AdminRevokeApiKey", { key_id: keyId, reason: compromised }, { headers: { "x-request-id": secret } });
  const [revocation, issue] = await events(`key_id=${keyId} AND event_time>="${before}"`);
  expect(revocation).toMatchObject({ request_id: "[redacted]" });
  expect(issue).toMatchObject({ request_id: expect.stringMatching(/^\S{36}$/), event_id: expect.stringMatching(/^[0-9A-Z]{26}$/) });
  expect(await events(`key_id=${keyId} AND event_time<"${before}"`)).toEqual([]);
});

test("page tokens are valid for one filter, and the pages contain every event once", async () => {
  const { keyId } = await api.issue();
  for (let index = 0; index < 6; index += 1) {
    await api.call("AdminUpdateIssuedApiKey", { issued_api_key: { key_id: keyId, name: `name ${index}` }, update_mask: "name" });
  }
  const filter = `key_id=${keyId} AND method=AdminUpdateIssuedApiKey AND caller=admin`;
  const ids: unknown[] = [];
  let page_token = "";
  do {
    const page = await api.call("AdminListAuditEvents", { filter, page_size: 2, page_token });
    ids.push(...(page.audit_events as JsonObject[]).map(({ event_id }) => event_id));
    page_token = String(page.next_page_token ?? "");
    const other = { filter: `${filter} AND event_time>="2020-01-01T00:00:00Z"`, page_token };
    if (page_token !== "") expect(faults(await api.refused("AdminListAuditEvents", other))).toEqual(["INVALID_ARGUMENT", "page_token"]);
  } while (page_token !== "");
  expect(ids).toHaveLength(6);
  expect(ids).toEqual((await events(filter)).map(({ event_id }) => event_id));
});

test("auditors may read it and verifiers may not; it lists refused callers, known or not, with the reason", async () => {
  await api.call("AdminListAuditEvents", {}, { token: tokens.auditor });
  for (const token of [tokens.verifier, null, "not-a-token"]) await api.refused("AdminListAuditEvents", {}, { token });
  const refusals = () => events("method=AdminListAuditEvents");
  await expect.poll(async () => (await refusals()).length, { timeout: 10_000 }).toBe(3);
  const found = (await refusals()).map(({ caller, error_reason, client_address }) => `${caller} ${error_reason} ${client_address}`);
  expect(found.sort()).toEqual([
    "the-verifier PERMISSION_DENIED 127.0.0.1",
    "undefined UNAUTHENTICATED 127.0.0.1",
    "undefined UNAUTHENTICATED 127.0.0.1",
  ]);
  expect(await events('caller="the-verifier"')).toHaveLength(1);
});

test("a malformed filter is refused with its column", async () => {
  const refusal = await api.refused("AdminListAuditEvents", { filter: "caller=a AND name=b" });
  expect(faults(refusal)).toEqual(["INVALID_ARGUMENT", "filter"]);
  expect(refusal.message).toContain("column 14");
});
