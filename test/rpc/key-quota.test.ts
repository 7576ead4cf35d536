import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiHere, startApi } from "../support/api.ts";

const maxKeys = 12;
const reason = "REVOCATION_REASON_SUPERSEDED";
const isOnMongo = process.env.KEYWRIGHT_TEST_PROJECT === "servers-mongodb" && process.env.KEYWRIGHT_TEST_BACKEND !== undefined;
const item = (raw_key: string): JsonObject => ({ raw_key, name: "n", actor_id: "a" });
let dataDir = "";
let apis: readonly ApiHere[] = [];
let api: ApiHere;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "keywright-quota-"));
  const start = () => startApi("grpc", { dataDir, env: { KEYWRIGHT_MAX_KEYS: String(maxKeys) } });
  // Only one process can use an SQLite file.
  apis = isOnMongo ? [await start(), await start()] : [await start()];
  api = apis[0] as ApiHere;
});
afterAll(async () => {
  for (const one of apis) await one[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true, force: true });
});

test("concurrent issues and imports in all processes create exactly as many keys as the quota allows", async () => {
  for (const name of ["one", "two", "three"]) await api.issue({ name });
  const outcomes = await Promise.allSettled(
    Array.from({ length: 30 }, async (_, index) => {
      const on = apis[index % apis.length] as ApiHere;
      if (index % 3 !== 0) return on.call("AdminIssueApiKey", {});
      const requests = [item(`raw-${index}-a`), item(`raw-${index}-b`)];
      return on.call("AdminBatchImportApiKeys", { requests });
    }),
  );
  const made = outcomes.map((outcome) => (outcome.status === "fulfilled" ? Number(outcome.value.success_count ?? 1) : 0));
  expect(made.reduce((sum, count) => sum + count, 0)).toBe(maxKeys - 3);
});

test("one more is refused with the limit and the use; in a batch, per item", async () => {
  const refusal = await api.refused("AdminIssueApiKey", {});
  expect(refusal).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "KEY_QUOTA_EXHAUSTED" });
  expect(refusal.details).toContainEqual({
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    violations: [
      { subject: "tenant:default", quota_id: "max_keys", quota_value: String(maxKeys), description: `${maxKeys} of ${maxKeys} are in use` },
    ],
  });
  expect((await api.refused("AdminImportApiKey", item("raw-more"))).reason).toBe("KEY_QUOTA_EXHAUSTED");

  const { issued_api_keys } = await api.call("AdminListIssuedApiKeys", {});
  const [key_id] = (issued_api_keys as JsonObject[]).map((key) => String(key.key_id));
  await api.call("AdminRevokeApiKey", { key_id: key_id as string, reason });
  const { results } = await api.call("AdminBatchImportApiKeys", { requests: [item("raw-more"), item("raw-too-many")] });
  expect((results as JsonObject[]).map(({ error_code }) => error_code)).toEqual([undefined, "BATCH_IMPORT_ERROR_RESOURCE_EXHAUSTED"]);
  const full = await api.refused("AdminBatchImportApiKeys", { requests: [item("raw-too-many")] });
  expect(full).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "KEY_QUOTA_EXHAUSTED" });
  expect(full.details).toContainEqual(expect.objectContaining({ "@type": "type.googleapis.com/google.rpc.QuotaFailure" }));
});

test("an expired key counts until it is revoked; a rotation needs no room", async () => {
  const { issued_api_keys } = await api.call("AdminListIssuedApiKeys", { filter: "status=KEY_STATUS_ACTIVE" });
  const [first, second] = (issued_api_keys as JsonObject[]).map((key) => String(key.key_id)) as [string, string];
  await api.call("AdminRotateIssuedApiKey", { key_id: first });
  await api.call("AdminRevokeApiKey", { key_id: second, reason });
  const { keyId } = await api.issue({ ttl: "1s" });
  api.pass(1100);
  expect(await api.get(keyId)).toMatchObject({ status: "KEY_STATUS_EXPIRED" });
  expect((await api.refused("AdminIssueApiKey", {})).reason).toBe("KEY_QUOTA_EXHAUSTED");
  await api.call("AdminRevokeApiKey", { key_id: keyId, reason });
  await api.issue();
});
