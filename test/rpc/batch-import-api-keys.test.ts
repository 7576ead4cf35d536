import { createHash, randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Api, delay, startApi } from "../support/api.ts";
import { asObject } from "../support/clients/client.ts";
import { clientKinds, refused, succeed } from "../support/clients.ts";

/** A change holds in another process within this time (docs/guarantees.md). */
const boundMs = 100;
let api: Api;
beforeAll(async () => {
  api = await startApi("json-http");
});
afterAll(() => api?.[Symbol.asyncDispose]());

const item = (raw_key: string, more: JsonObject = {}): JsonObject => ({ raw_key, name: "Stripe", actor_id: "payments", ...more });

interface Outcome {
  readonly index?: number;
  readonly imported_api_key?: { readonly key_id: string; readonly name: string };
  readonly error_code?: string;
  readonly error_message?: string;
}

/** Returns the results of a batch: the key id of a success, the code and message of a failure. */
async function importAll(requests: readonly JsonObject[], on = api): Promise<string[]> {
  const { results, success_count, failure_count } = await on.call("AdminBatchImportApiKeys", { requests: [...requests] });
  const outcomes = results as unknown as Outcome[];
  expect(outcomes.map(({ index }) => index)).toEqual(requests.map((_, index) => index));
  expect(success_count).toBe(outcomes.filter(({ imported_api_key }) => imported_api_key !== undefined).length);
  expect(failure_count).toBe(requests.length - Number(success_count));
  return outcomes.map(textOf);
}

function textOf({ imported_api_key, error_code = "", error_message }: Outcome): string {
  return imported_api_key?.key_id ?? `${error_code.replace("BATCH_IMPORT_ERROR_", "")} ${error_message}`;
}

const keyId = expect.stringMatching(/^[0-9a-f]{64}$/);
const prefixed = (text: string) => expect.stringMatching(new RegExp(`^${text.replaceAll(/[[\]()]/g, "\\$&")}`));

test("items are independent, and an invalid one fails alone", async () => {
  const { secret } = await api.issue();
  const requests = [
    item("sk_batch_first", { scopes: ["read"], metadata: { source: "stripe" } }),
    item(""),
    item("sk_no_name", { name: "" }),
    item(secret),
    item("sk_scopes", { scopes: ["a b"] }),
    item("sk_metadata", { metadata: { text: "x".repeat(5000) } }),
    item("sk_both", { raw_key_sha256: "0".repeat(64) }),
    item("sk_ttl", { ttl: "0.5s" }),
    item("sk_batch_last"),
  ];
  const results = await importAll(requests);
  expect(results).toEqual([
    keyId,
    prefixed("INVALID_ARGUMENT raw_key: "),
    prefixed("INVALID_ARGUMENT name: "),
    prefixed("INVALID_ARGUMENT raw_key: must not be a credential of this service"),
    prefixed("INVALID_ARGUMENT scopes[0]: "),
    prefixed("INVALID_ARGUMENT metadata: "),
    prefixed("INVALID_ARGUMENT raw_key_sha256: "),
    prefixed("INVALID_ARGUMENT ttl: "),
    keyId,
  ]);
  expect(await api.verify({ credential: "sk_batch_first" })).toMatchObject({ is_valid: true, key_id: results[0], scopes: ["read"] });
  expect(await api.verify({ credential: "sk_batch_last" })).toMatchObject({ is_valid: true, key_id: results[8] });
  expect(await api.verify({ credential: "sk_no_name" })).toMatchObject({ is_valid: false });
});

test("of one key in several items the first is imported, and the others name its index", async () => {
  const sha256 = createHash("sha256").update("sk_dup").digest("hex");
  const byDigest = { raw_key_sha256: sha256, name: "by digest", actor_id: "x" };
  const results = await importAll([item("sk_other"), item("sk_dup", { name: "first" }), item("sk_dup"), byDigest]);
  expect(results).toEqual([keyId, keyId, "ALREADY_EXISTS requests[1] has the same key", "ALREADY_EXISTS requests[1] has the same key"]);
  expect(await api.call("AdminGetImportedApiKey", { key_id: String(results[1]) })).toMatchObject({ name: "first" });
});

test("an existing key returns ALREADY_EXISTS, whoever imported it", async () => {
  await api.call("AdminImportApiKey", item("sk_there"));
  const results = await importAll([item("sk_there"), item("sk_there", { request_id: randomUUID() }), item("sk_fresh")]);
  expect(results).toEqual([prefixed("ALREADY_EXISTS the key already exists"), "ALREADY_EXISTS requests[0] has the same key", keyId]);
});

test("a request_id works as for a single import, in the batch and across batches", async () => {
  const [a, b, c] = [randomUUID(), randomUUID(), randomUUID()];
  const single = await api.call("AdminImportApiKey", item("sk_id_a", { request_id: a }));
  const batch = [
    item("sk_id_a", { request_id: a }),
    item("sk_id_x", { request_id: a }),
    item("sk_id_b", { request_id: b }),
    item("sk_id_b", { request_id: b }),
    item("sk_id_b", { request_id: b, name: "another payload" }),
    item("sk_id_c", { request_id: c }),
  ];
  const reused = (index: number) => `ALREADY_EXISTS requests[${index}] has the same request_id with a different payload`;
  const results = await importAll(batch);
  expect(results).toEqual([single.key_id, reused(0), keyId, results[2], reused(2), keyId]);
  expect(await importAll(batch)).toEqual(results);
  expect(await importAll([item("sk_id_y", { request_id: c }), item("sk_id_z")])).toEqual([
    "ALREADY_EXISTS request_id was already used with a different payload",
    keyId,
  ]);
});

test("with a batch's own request_id, its keys and no others count as imported when repeated", async () => {
  const request_id = randomUUID();
  const send = async (requests: JsonObject[], id = request_id) => {
    const { results } = await api.call("AdminBatchImportApiKeys", { requests, request_id: id });
    return (results as unknown as Outcome[]).map(textOf);
  };
  const first = await send([item("sk_retry_1"), item("sk_retry_2"), item("", {})]);
  expect(first.slice(0, 2)).toEqual([keyId, keyId]);
  await api.call("AdminUpdateImportedApiKey", { imported_api_key: { key_id: String(first[0]), name: "renamed since" } });
  const retry = await send([item("sk_retry_1"), item("sk_retry_2"), item("sk_retry_3"), item("sk_retry_1")]);
  expect(retry).toEqual([first[0], first[1], keyId, "ALREADY_EXISTS requests[0] has the same key"]);
  expect(await api.call("AdminGetImportedApiKey", { key_id: String(first[0]) })).toMatchObject({ name: "renamed since" });
  const exists = prefixed("ALREADY_EXISTS the key already exists");
  expect(await send([item("sk_retry_1", { name: "another payload" }), item("sk_retry_2")])).toEqual([exists, first[1]]);
  expect(await send([item("sk_retry_1"), item("sk_retry_4")], randomUUID())).toEqual([exists, keyId]);
  expect(await importAll([item("sk_retry_1"), item("sk_retry_5")])).toEqual([exists, keyId]);
});

test("a repeated batch answers as before for a key that was deleted since, and does not import it again", async () => {
  const batch = { request_id: randomUUID(), requests: [item("sk_again_1"), item("sk_again_2")] };
  const send = async () => {
    const { results, success_count = 0, failure_count = 0 } = await api.call("AdminBatchImportApiKeys", batch);
    const keyIds = (results as unknown as Outcome[]).map(
      ({ imported_api_key, error_code }) => imported_api_key?.key_id ?? error_code ?? "none",
    );
    return { keyIds, success_count, failure_count };
  };
  const { keyIds } = await send();
  await api.call("AdminDeleteImportedApiKey", { key_id: String(keyIds[0]) });
  expect(await send()).toEqual({ keyIds: ["none", keyIds[1]], success_count: 2, failure_count: 0 });
  await api.call("AdminDeleteImportedApiKey", { key_id: String(keyIds[1]) });
  expect(await send()).toEqual({ keyIds: ["none", "none"], success_count: 2, failure_count: 0 });
  for (const credential of ["sk_again_1", "sk_again_2"]) expect(await api.verify({ credential })).toMatchObject({ is_valid: false });
  const single = { ...item("sk_again_3"), request_id: randomUUID() };
  const { key_id } = await api.call("AdminImportApiKey", single);
  await api.call("AdminDeleteImportedApiKey", { key_id: String(key_id) });
  expect(await api.refused("AdminImportApiKey", single)).toMatchObject({
    reason: "REQUEST_ID_REUSED",
    message: expect.stringContaining("deleted"),
  });
  expect(await importAll([item("sk_again_1"), item("sk_again_3")])).toEqual([keyIds[0], key_id]);
});

test("keys verify at once even if verifiers cached them as absent or deleted", async () => {
  const rawKeys = ["sk_late_1", "sk_late_2", "sk_late_3"];
  for (const credential of rawKeys) expect(await api.verify({ credential })).toMatchObject({ is_valid: false });
  const [first = ""] = await importAll(rawKeys.map((raw_key) => item(raw_key)));
  for (const credential of rawKeys) expect(await api.verify({ credential })).toMatchObject({ is_valid: true });
  await api.call("AdminDeleteImportedApiKey", { key_id: first });
  expect(await api.verify({ credential: "sk_late_1" })).toMatchObject({ is_valid: false });
  await importAll([item("sk_late_1"), item("sk_late_4")]);
  expect(await api.verify({ credential: "sk_late_1" })).toMatchObject({ is_valid: true });
});

const isOnMongo = process.env.KEYWRIGHT_TEST_PROJECT === "servers-mongodb" && process.env.KEYWRIGHT_TEST_BACKEND !== undefined;

test.skipIf(!isOnMongo)("in another process too (skipped on SQLite, which has one)", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "keywright-test-"));
  try {
    await using one = await startApi("grpc", { dataDir });
    await using other = await startApi("grpc", { dataDir });
    const rawKeys = Array.from({ length: 20 }, (_, index) => `sk_there_${index}`);
    const validCount = async () => {
      const { results } = await other.call("AdminBatchVerifyApiKeys", { requests: rawKeys.map((credential) => ({ credential })) });
      return (results as JsonObject[]).filter(({ is_valid }) => is_valid).length;
    };
    const fillers = Array.from({ length: 980 }, (_, index) => item(`sk_filler_${index}`, { metadata: { text: "x".repeat(500) } }));
    const batch = [...fillers, ...rawKeys.map((raw_key) => item(raw_key))];
    expect(await validCount()).toBe(0);
    const keyIds = (await importAll(batch, one)).slice(-rawKeys.length);
    await delay(boundMs);
    expect(await validCount()).toBe(rawKeys.length);
    // Deleted keys are remembered for longer than absent ones.
    await Promise.all(keyIds.map((key_id) => one.call("AdminDeleteImportedApiKey", { key_id })));
    await delay(boundMs);
    expect(await validCount()).toBe(0);
    await importAll(batch.slice(-rawKeys.length - 1), one);
    await delay(boundMs);
    expect(await validCount()).toBe(rawKeys.length);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});

test("a key imported under a retired server secret is recognised", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "keywright-test-"));
  const [former, current] = [`former-${randomUUID()}`, `current-${randomUUID()}`];
  try {
    const before = await startApi("grpc", { dataDir, env: { KEYWRIGHT_SECRET: former } });
    await importAll([item("sk_old_1"), item("sk_old_2")], before);
    await before[Symbol.asyncDispose]();
    await using after = await startApi("grpc", { dataDir, env: { KEYWRIGHT_SECRET: current, KEYWRIGHT_SECRETS_RETIRED: former } });
    const results = await importAll([item("sk_old_1"), item("sk_new"), item("sk_old_2")], after);
    expect(results).toEqual([prefixed("ALREADY_EXISTS"), keyId, prefixed("ALREADY_EXISTS")]);
    expect(await after.verify({ credential: "sk_old_2" })).toMatchObject({ is_valid: true });
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});

test("one call accepts 1000 keys, but not 1001 and not none", async () => {
  const requests = Array.from({ length: 1000 }, (_, index) => item(`sk_many_${index}`, { request_id: `many ${index}` }));
  const results = await importAll(requests);
  expect(new Set(results).size).toBe(1000);
  expect(results).toEqual(requests.map(() => keyId));
  expect(await importAll(requests)).toEqual(results);
  expect(await api.verify({ credential: "sk_many_999" })).toMatchObject({ is_valid: true, key_id: results[999] });
  for (const bad of [[], [...requests, item("sk_one_too_many")]]) {
    const refusal = await api.refused("AdminBatchImportApiKeys", { requests: bad });
    expect(refusal.violations.map(({ field }) => field)).toEqual(["requests"]);
  }
});

test("lists that are too long are refused because of their length, not item by item", async () => {
  const [scopes, allowed_cidrs] = [Array.from({ length: 2000 }, () => " "), Array.from({ length: 101 }, () => "x")];
  const [result] = await importAll([item("sk_long", { scopes, ip_restriction: { allowed_cidrs } }), item("sk_short")]);
  const tooMany = "must contain no more than 100 item(s)";
  expect(result).toBe(`INVALID_ARGUMENT scopes: ${tooMany}; ip_restriction.allowed_cidrs: ${tooMany}`);
});

test("batchCreate does the same with its own names", async () => {
  const requests = [item("sk_create"), item("sk_create"), item("sk_create_2", { name: "" })];
  expect(await api.call("AdminBatchCreateImportedApiKeys", { requests })).toEqual({
    results: [
      { index: 0, imported_api_key: expect.objectContaining({ key_id: keyId, status: "KEY_STATUS_ACTIVE" }) },
      { index: 1, error_code: "BATCH_CREATE_IMPORTED_API_KEYS_ERROR_ALREADY_EXISTS", error_message: "requests[0] has the same key" },
      { index: 2, error_code: "BATCH_CREATE_IMPORTED_API_KEYS_ERROR_INVALID_ARGUMENT", error_message: expect.stringMatching(/^name: /) },
    ].map((result) => expect.objectContaining(result)),
    success_count: 1,
    failure_count: 2,
  });
  const { details } = await api.refused("AdminBatchCreateImportedApiKeys", { requests: [item("sk_create")] });
  expect(details.at(-1)).toMatchObject({
    "@type": "type.googleapis.com/keywright.v2alpha1.BatchCreateImportedApiKeysResponse",
    results: [{ error_code: "BATCH_CREATE_IMPORTED_API_KEYS_ERROR_ALREADY_EXISTS" }],
  });
});

test("compact results contain only the index, and are a response even if no key was imported", async () => {
  const requests = [item("sk_compact"), item("sk_compact_2", { name: "" })];
  const compact = { requests, compact_results: true };
  const invalid = { index: 1, error_code: "BATCH_IMPORT_ERROR_INVALID_ARGUMENT", error_message: expect.stringMatching(/^name: /) };
  expect(await api.call("AdminBatchImportApiKeys", compact)).toEqual({
    results: [{ index: 0 }, invalid],
    success_count: 1,
    failure_count: 1,
  });
  expect(await api.call("AdminBatchImportApiKeys", compact)).toMatchObject({
    results: [{ index: 0, error_code: "BATCH_IMPORT_ERROR_ALREADY_EXISTS" }, invalid],
    success_count: 0,
    failure_count: 2,
  });
});

describe("a batch without any success", () => {
  const noName = (raw_key: string) => item(raw_key, { name: "" });

  test.each(clientKinds)("fails with the most frequent code and names the items ($name)", async (kind) => {
    await using client = kind.open(api.server.url, api.server.adminToken);
    const rawKey = `sk of ${kind.name}`;
    expect(await succeed(client, "AdminBatchImportApiKeys", { requests: [item(rawKey)] })).toMatchObject({ success_count: 1 });
    const refusal = await refused(client, "AdminBatchImportApiKeys", { requests: [noName("a"), item(rawKey), noName("b")] });
    expect(refusal).toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID_REQUEST" });
    expect(refusal.message).toMatch(/^none of 3 keys was imported; requests\[0\]: name: /);
    expect(refusal.violations.map(({ field }) => field)).toEqual(["requests[0].name", "requests[2].name"]);
    const { results, failure_count } = asObject(refusal.details.at(-1));
    expect(failure_count).toBe(3);
    expect((results as unknown as Outcome[]).map(textOf)).toEqual([
      prefixed("INVALID_ARGUMENT name: "),
      prefixed("ALREADY_EXISTS the key already exists"),
      prefixed("INVALID_ARGUMENT name: "),
    ]);
  });

  test("fails with the first of equally frequent codes", async () => {
    await api.call("AdminImportApiKey", item("sk_tie"));
    const requests = [item("sk_tie"), noName("a")];
    expect(await api.refused("AdminBatchImportApiKeys", { requests })).toMatchObject({ reason: "KEY_ALREADY_EXISTS", violations: [] });
    expect(await api.refused("AdminBatchImportApiKeys", { requests: requests.reverse() })).toMatchObject({ reason: "INVALID_REQUEST" });
  });

  test("of 1000 items fits into the trailers of gRPC, and reports what was cut", async () => {
    await using grpc = clientKinds[0]?.open(api.server.url, api.server.adminToken);
    if (grpc === undefined) throw new Error("no gRPC client found");
    const bad = { raw_key: "é".repeat(9), scopes: Array.from({ length: 100 }, () => 'no "scope"') };
    for (const requests of [Array.from({ length: 1000 }, () => noName("é")), Array.from({ length: 1000 }, () => bad)]) {
      const refusal = await refused(grpc, "AdminBatchImportApiKeys", { requests });
      const trailerBytes = [...refusal.headers].reduce((bytes, [name, value]) => bytes + name.length + value.length + 32, 0);
      expect(trailerBytes).toBeGreaterThan(3000);
      expect(trailerBytes).toBeLessThan(8192);
      const { results, failure_count } = asObject(refusal.details.at(-1));
      const { length } = results as unknown[];
      expect(failure_count).toBe(1000);
      expect(length).toBeGreaterThan(9);
      expect(refusal.message).toContain(`none of 1000 keys was imported (the details hold the first ${length} of them)`);
    }
  });
});
