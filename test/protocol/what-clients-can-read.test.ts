import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { create, type DescFile, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { openSqliteKeyStore } from "../../src/adapters/sqlite/key-store.ts";
import { defaultTenant } from "../../src/core/tenant.ts";
import { type Api, type IssuedKey, manyScopes, startApi } from "../support/api.ts";
import { asObject } from "../support/clients/client.ts";
import { clientKinds, refused } from "../support/clients.ts";
import { derive } from "../support/derive.ts";
import { httpSender } from "../support/http.ts";
import { describeWithPython } from "../support/python.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { auditEvent } from "../support/with-events.ts";

/** gRPC clients refuse responses of more than 4 MiB and of more than 100 levels. grpc-js and Python have these limits here. */
let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

/** An object of this many levels, each in an array or an object. */
function nested(levels: number): JsonObject {
  return levels === 1 ? { end: "end" } : { a: nested(levels - 1) };
}

/** Some 4 KB of JSON that are 22 KB as protobuf. */
const numbers = { a: Array.from({ length: 2000 }, () => 0) };

/** Imports over JSON. The body stays below the limit of a batch, and the response omits the keys. */
async function importMany(prefix: string, count: number, more: JsonObject): Promise<string[]> {
  const send = httpSender(api.server.url, api.server.adminToken);
  const rawKeys = Array.from({ length: count }, (_, index) => `${prefix}_${index}`);
  for (let start = 0; start < count; start += 100) {
    const requests = rawKeys.slice(start, start + 100).map((raw_key) => ({ raw_key, name: "n", actor_id: prefix, ...more }));
    const { json, text } = await send("POST", "/v2alpha1/admin/importedApiKeys:batchImport", { body: { requests, compact_results: true } });
    expect(json.success_count, text.slice(0, 500)).toBe(requests.length);
  }
  return rawKeys;
}

describe("responses below 4 MiB", () => {
  test("a page of keys ends early, and the pages hold every key once", async () => {
    await importMany("sk_page", 300, { metadata: numbers });
    const pages: string[][] = [];
    let pageToken = "";
    do {
      const page = await api.call("AdminListImportedApiKeys", { page_size: 1000, page_token: pageToken, filter: "actor_id=sk_page" });
      pages.push((page.imported_api_keys as JsonObject[]).map(({ key_id }) => String(key_id)));
      pageToken = String(page.next_page_token ?? "");
    } while (pageToken !== "");
    expect(pages.length).toBeGreaterThan(1);
    expect(new Set(pages.flat()).size).toBe(300);
    expect(pages.flat()).toHaveLength(300);
  });

  test("a batch import omits the keys from the response if they do not fit", async () => {
    const requests = Array.from({ length: 1000 }, (_, index) => ({
      ...{ raw_key: `sk_large_${index}`, name: "n", actor_id: "large" },
      metadata: { note: "x".repeat(4070) },
    }));
    const { results, success_count, failure_count } = await api.call("AdminBatchImportApiKeys", { requests });
    expect([success_count, failure_count]).toEqual([1000, 0]);
    expect(results).toEqual(requests.map((_, index) => ({ index })));
    expect(await api.verify({ credential: "sk_large_999" })).toMatchObject({ is_valid: true });
  });

  test("a batch of verifications returns those that fit", async () => {
    const scopes = manyScopes(100).map((scope) => scope.padEnd(256, "x"));
    const credentials = await importMany("sk_verify", 100, { metadata: numbers, scopes });
    const requests = [...credentials, "nobodys"].slice(-100).map((credential) => ({ credential }));
    const results = (await api.call("AdminBatchVerifyApiKeys", { requests })).results as JsonObject[];
    const valid = results.filter(({ is_valid }) => is_valid === true);
    expect(valid.length).toBeGreaterThan(50);
    expect(valid.length).toBeLessThan(99);
    for (const { metadata } of valid) expect(metadata).toEqual(numbers);
    const rest = results.slice(valid.length, -1);
    expect(rest.every(({ error_code }) => error_code === "VERIFICATION_ERROR_INTERNAL")).toBe(true);
    expect(rest[0]?.error_message).toMatch(/smaller batch/);
    expect(results.at(-1)).toMatchObject({ error_code: "VERIFICATION_ERROR_NOT_FOUND" });
  });

  test("a page of the audit trail ends early", async () => {
    using folder = temporaryFolder();
    await startAndStop(folder.path);
    const store = await openSqliteKeyStore({ path: join(folder.path, "keywright.db"), clock: Date.now });
    const keyIds = Array.from({ length: 1000 }, (_, index) => String(index).padStart(64, "0"));
    const events = Array.from({ length: 90 }, (_, index) => auditEvent({ timeMs: Date.now() - 1000 + index, keyIds }));
    await store.audit.append(defaultTenant, events);
    await store.close();
    await using trail = await startApi("grpc", { dataDir: folder.path });
    const first = await trail.call("AdminListAuditEvents", { page_size: 1000 });
    const second = await trail.call("AdminListAuditEvents", { page_size: 1000, page_token: first.next_page_token as string });
    const found = [...(first.audit_events as JsonObject[]), ...((second.audit_events ?? []) as JsonObject[])];
    const ids = found.filter(({ method }) => method === events[0]?.method).map(({ event_id }) => event_id);
    expect(ids).toEqual(events.map(({ eventId }) => eventId).reverse());
  });
});

describe("depth", () => {
  const tooDeep = (field: string) => [{ field, description: "must not be nested more than 20 levels deep" }];

  test.each(clientKinds)("metadata and claims of 21 to 95 levels are refused with the same text: $name", async (kind) => {
    await using client = kind.open(api.server.url, api.server.adminToken);
    const { keyId, secret } = await api.issue();
    for (const levels of [21, 34, 95]) {
      const metadata = nested(levels);
      const lists = { a: [[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]] } as JsonObject;
      for (const deep of [metadata, lists]) {
        expect((await refused(client, "AdminIssueApiKey", { metadata: deep })).violations).toEqual(tooDeep("metadata"));
      }
      const importRequest = { raw_key: "sk_deep", name: "n", actor_id: "a", metadata };
      expect((await refused(client, "AdminImportApiKey", importRequest)).violations).toEqual(tooDeep("metadata"));
      expect((await refused(client, "AdminRotateIssuedApiKey", { key_id: keyId, metadata })).violations).toEqual(tooDeep("metadata"));
      const update = { issued_api_key: { key_id: keyId, metadata } };
      expect((await refused(client, "AdminUpdateIssuedApiKey", update)).violations).toEqual(tooDeep("metadata"));
      const derivation = { credential: secret, custom_claims: metadata };
      expect((await refused(client, "AdminDeriveToken", derivation)).violations).toEqual(tooDeep("custom_claims"));
    }
  });

  test("beyond 100 levels nothing is read, with the same text", async () => {
    const send = httpSender(api.server.url, api.server.adminToken);
    const body = `{"metadata":${'{"a":'.repeat(150)}1${"}".repeat(150)}}`;
    for (const path of ["/v2alpha1/admin/issuedApiKeys", "/keywright.v2alpha1.ApiKeysService/AdminIssueApiKey"]) {
      const { status, json } = await send("POST", path, { body });
      expect([status, json.message]).toEqual([400, "the request must not be nested more than 100 levels deep"]);
    }
  });

  test("metadata that may be stored can be read in every response", async () => {
    const metadata = nested(20);
    const { keyId, secret } = await api.issue({ metadata, actor_id: "deep" });
    expect((await api.get(keyId)).metadata).toEqual(metadata);
    expect((await api.verify({ credential: secret })).metadata).toEqual(metadata);
    const { token, claims } = await derive(api, secret, { custom_claims: nested(20) });
    expect(claims).toMatchObject({ ...nested(20), metadata });
    const requests = [{ credential: token }, { credential: secret }];
    const { results } = await api.call("AdminBatchVerifyApiKeys", { requests });
    expect(results).toMatchObject([{ is_valid: true, metadata, claims: nested(20) }, { metadata }]);
    const imports = [{ raw_key: "sk_depth", name: "n", actor_id: "deep", metadata }];
    expect((await api.call("AdminBatchImportApiKeys", { requests: imports })).results).toMatchObject([{ imported_api_key: { metadata } }]);
  });

  test("a key that was stored with deeper metadata does not break responses that contain it", async () => {
    using folder = temporaryFolder();
    const { keyId, secret } = await startAndStop(folder.path);
    const stored = nested(34);
    const database = new DatabaseSync(join(folder.path, "keywright.db"));
    database.prepare("UPDATE keys SET metadata = ? WHERE key_id = ?").run(JSON.stringify(stored), keyId);
    database.close();
    const shown = [...Array(20).keys()].reduceRight<JsonObject>((inner) => ({ a: inner }), { a: JSON.stringify(nested(13)) });

    await using later = await startApi("grpc", { dataDir: folder.path });
    expect((await later.get(keyId)).metadata).toEqual(shown);
    expect((await later.verify({ credential: secret })).metadata).toEqual(shown);
    expect((await later.call("AdminListIssuedApiKeys", {})).issued_api_keys).toMatchObject([{ metadata: shown }]);
    const { token, claims } = await derive(later, secret);
    expect(claims.metadata).toMatchObject({ a: {} });
    expect((await later.verify({ credential: token })).metadata).toEqual(shown);
    const update = { issued_api_key: { key_id: keyId, name: "renamed" } };
    expect(await later.call("AdminUpdateIssuedApiKey", update)).toMatchObject({ metadata: shown });
    const rotated = await later.call("AdminRotateIssuedApiKey", { key_id: keyId });
    expect(asObject(rotated.issued_api_key).metadata).toEqual(shown);
    expect(await later.verify({ credential: String(rotated.secret) })).toMatchObject({ is_valid: true, metadata: shown });
  });
});

/** Starts and stops a server on a folder, and leaves a key in it. */
async function startAndStop(dataDir: string): Promise<IssuedKey> {
  await using first = await startApi("grpc", { dataDir });
  return await first.issue();
}

/** Python's own implementation of protobuf and gRPC, with its default limits. */
const pythonClient = `
import base64, json, sys, grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
address, token, descriptors, calls = sys.argv[1:]
pool = descriptor_pool.DescriptorPool()
for file in descriptor_pb2.FileDescriptorSet.FromString(base64.b64decode(descriptors)).file: pool.Add(file)
service = pool.FindServiceByName("keywright.v2alpha1.ApiKeysService")
channel = grpc.insecure_channel(address)
answers = []
for name, request in json.loads(calls):
  method = service.methods_by_name[name]
  request_class, response_class = (message_factory.GetMessageClass(m) for m in (method.input_type, method.output_type))
  call = channel.unary_unary(f"/{service.full_name}/{name}", request_serializer=request_class.SerializeToString, response_deserializer=response_class.FromString)
  try:
    answer = call(json_format.ParseDict(request, request_class()), metadata=[("authorization", f"Bearer {token}")])
    read = json_format.MessageToDict(answer, preserving_proto_field_name=True)
    if name == "AdminListImportedApiKeys": read["imported_api_keys"] = len(read["imported_api_keys"])
    answers.append(read)
  except grpc.RpcError as error: answers.append(f"{error.code().name}: {error.details()}")
print(json.dumps(answers))
`;

function descriptorSet(): string {
  const files = new Map<string, DescFile>();
  const add = (file: DescFile): void => {
    if (files.has(file.name)) return;
    for (const dependency of file.dependencies) add(dependency);
    files.set(file.name, file);
  };
  add(ApiKeysService.file);
  const file = [...files.values()].map(({ proto }) => proto);
  return Buffer.from(toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file }))).toString("base64");
}

await describeWithPython("Python's gRPC", (runPython) => {
  test("reads the deepest metadata and the largest page, and treats an empty mask as absent", async () => {
    await importMany("sk_python", 250, { metadata: numbers });
    const { keyId, secret } = await api.issue({ metadata: nested(20), actor_id: "python", name: "old" });
    const calls = [
      ["AdminListIssuedApiKeys", { filter: "actor_id=python" }],
      ["AdminBatchVerifyApiKeys", { requests: [{ credential: secret }] }],
      ["AdminListImportedApiKeys", { filter: "actor_id=sk_python", page_size: 1000 }],
      ["AdminUpdateIssuedApiKey", { issued_api_key: { key_id: keyId, name: "new" }, update_mask: "" }],
      ["AdminIssueApiKey", { metadata: nested(30) }],
    ];
    const args = [new URL(api.server.url).host, api.server.adminToken, descriptorSet(), JSON.stringify(calls)];
    const [listed, verified, page, updated, tooDeep] = JSON.parse(await runPython(pythonClient, args)) as JsonObject[];
    expect(listed).toMatchObject({ issued_api_keys: [{ metadata: nested(20) }] });
    expect(verified).toMatchObject({ results: [{ is_valid: true, metadata: nested(20) }] });
    expect(page).toMatchObject({ next_page_token: expect.any(String) });
    expect(page?.imported_api_keys).toBeGreaterThan(100);
    expect(updated).toMatchObject({ key_id: keyId, name: "new" });
    expect(tooDeep).toMatch(/INVALID_ARGUMENT: metadata: must not be nested more than 20 levels deep/);
  });
});
