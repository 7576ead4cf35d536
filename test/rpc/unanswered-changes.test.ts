import { afterAll, beforeAll, expect, test } from "vitest";
import { openStore } from "../../src/adapters/open.ts";
import type { Parts } from "../../src/composition/given.ts";
import { type Api, startApi } from "../support/api.ts";

/** Changes that the store has made and does not answer, as when its primary steps down at that moment. */
let isAnswering = true;
const answered = async <T>(change: Promise<T>): Promise<T> => {
  const outcome = await change;
  if (!isAnswering) throw new Error("no answer");
  return outcome;
};
const parts: Partial<Parts> = {
  async openStore(...given) {
    const { store, shareable } = await openStore(...given);
    const changes = {
      insert: (...args) => answered(store.insert(...args)),
      replace: (...args) => answered(store.replace(...args)),
      rotate: (...args) => answered(store.rotate(...args)),
    } satisfies Partial<typeof store>;
    return { shareable, store: { ...store, ...changes } };
  },
};

let api: Api;
beforeAll(async () => {
  api = await startApi("grpc", { env: { KEYWRIGHT_CACHE_TTL: "5m" } }, parts);
});
afterAll(() => api?.[Symbol.asyncDispose]());

async function withoutAnswer(method: string, request: Record<string, string>): Promise<void> {
  isAnswering = false;
  expect((await api.refused(method, request)).code).toBe("INTERNAL");
  isAnswering = true;
}

/** A key that the cache has as active. */
async function cachedKey(): Promise<{ readonly key_id: string; readonly isValid: () => Promise<unknown> }> {
  const { keyId: key_id, secret } = await api.issue();
  const isValid = async () => (await api.verify({ credential: secret })).is_valid;
  expect(await isValid()).toBe(true);
  return { key_id, isValid };
}

test.each([
  ["AdminRotateIssuedApiKey", {}, "AdminRotateIssuedApiKey", {}],
  ["AdminDisableApiKey", {}, "AdminRotateIssuedApiKey", {}],
  ["AdminRevokeApiKey", { reason: "REVOCATION_REASON_KEY_COMPROMISE" }, "AdminEnableApiKey", {}],
  ["AdminRevokeApiKey", { reason: "REVOCATION_REASON_KEY_COMPROMISE" }, "AdminDisableApiKey", {}],
])("after %s %j without an answer, a refusal of %s that says so holds everywhere", async (change, request, next, nextRequest) => {
  const { key_id, isValid } = await cachedKey();
  await withoutAnswer(change, { key_id, ...request });
  expect(await api.refused(next, { key_id, ...nextRequest })).toMatchObject({ reason: "KEY_NOT_ACTIVE" });
  expect(await isValid()).toBe(false);
});

test("a tenant that was created without an answer can be used once a call says that it exists", async () => {
  const calls = { headers: { "keywright-tenant": "acme" } };
  expect(await api.refused("AdminListIssuedApiKeys", {}, calls)).toMatchObject({ reason: "TENANT_NOT_FOUND" });
  await withoutAnswer("AdminCreateTenant", { tenant_id: "acme" });
  expect(await api.refused("AdminCreateTenant", { tenant_id: "acme" })).toMatchObject({ reason: "TENANT_ALREADY_EXISTS" });
  await expect(api.call("AdminListIssuedApiKeys", {}, calls)).resolves.toMatchObject({});
});
