import { afterAll, beforeAll, expect, test } from "vitest";
import { type Api, faults, startApi } from "../support/api.ts";

/** Get, list, update, revoke and self-revoke of imported keys: the differences from issued keys, which have their own tests. */
let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

const importKey = async (raw_key: string, extra = {}) =>
  String((await api.call("AdminImportApiKey", { raw_key, name: raw_key, actor_id: "ann", ...extra })).key_id);

test("each kind has its own get, list and update", async () => {
  const imported = await importKey("sk_kinds");
  const { keyId: issued } = await api.issue();
  expect(await api.refused("AdminGetIssuedApiKey", { key_id: imported })).toMatchObject({ reason: "KEY_NOT_FOUND" });
  expect(await api.refused("AdminGetImportedApiKey", { key_id: issued })).toMatchObject({ reason: "KEY_NOT_FOUND" });
  expect(await api.refused("AdminUpdateImportedApiKey", { imported_api_key: { key_id: issued, name: "x" } })).toMatchObject({
    reason: "KEY_NOT_FOUND",
  });
  expect(await api.refused("AdminRotateIssuedApiKey", { key_id: imported })).toMatchObject({ reason: "KEY_NOT_FOUND" });
  const { imported_api_keys } = await api.call("AdminListImportedApiKeys", {});
  expect((imported_api_keys as { key_id: string }[]).map(({ key_id }) => key_id)).toEqual([imported]);
});

test("list pages through all of them by filter", async () => {
  const ids = await Promise.all(["l1", "l2", "l3", "l4", "l5"].map((raw) => importKey(raw, { actor_id: "lister" })));
  const seen: string[] = [];
  let page_token = "";
  do {
    const page = await api.call("AdminListImportedApiKeys", {
      page_size: 2,
      page_token,
      filter: 'actor_id="lister" AND status=KEY_STATUS_ACTIVE',
    });
    seen.push(...(page.imported_api_keys as { key_id: string }[]).map(({ key_id }) => key_id));
    page_token = String(page.next_page_token ?? "");
  } while (page_token !== "");
  expect(seen).toEqual([...ids].sort());
});

test("an update applies to the next verification; fields that cannot change are refused with their name", async () => {
  const key_id = await importKey("sk_update", { scopes: ["read", "write"] });
  await api.verify({ credential: "sk_update" });
  await api.call("AdminUpdateImportedApiKey", { imported_api_key: { key_id, scopes: ["read"] } });
  expect(await api.verify({ credential: "sk_update" })).toMatchObject({ is_valid: true, scopes: ["read"] });
  expect(faults(await api.refused("AdminUpdateImportedApiKey", { imported_api_key: { key_id, actor_id: "bob" } }))).toEqual([
    "INVALID_ARGUMENT",
    "imported_api_key.actor_id",
  ]);
});

test("revoke and self-revoke work for imported keys", async () => {
  const key_id = await importKey("sk_revoke");
  await api.call("AdminRevokeApiKey", { key_id, reason: "REVOCATION_REASON_KEY_COMPROMISE" });
  expect(await api.verify({ credential: "sk_revoke" })).toMatchObject({
    is_valid: false,
    error_code: "VERIFICATION_ERROR_REVOKED",
    key_id,
  });
  await importKey("sk_self");
  await api.call("RevokeApiKey", { credential: "sk_self", reason: "REVOCATION_REASON_SUPERSEDED" }, { token: null });
  expect(await api.verify({ credential: "sk_self" })).toMatchObject({ is_valid: false, error_code: "VERIFICATION_ERROR_REVOKED" });
});
