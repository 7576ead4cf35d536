import { create, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { StructSchema } from "@bufbuild/protobuf/wkt";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Api, faults, manyScopes, startApi } from "../support/api.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

test("an empty request creates a secret key without limits", async () => {
  const { key, secret } = await api.issue();
  expect(key).toEqual({
    key_id: expect.stringMatching(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/),
    lineage_id: key.key_id,
    status: "KEY_STATUS_ACTIVE",
    visibility: "KEY_VISIBILITY_SECRET",
    create_time: key.update_time,
    update_time: expect.any(String),
  });
  expect(secret).toMatch(new RegExp(`^kw_v1_${key.key_id}_[0-9A-Za-z]{49}$`));
});

test("a public key is recognisable by its prefix", async () => {
  const { key, secret } = await api.issue({ visibility: "KEY_VISIBILITY_PUBLIC" });
  expect([key.visibility, secret.startsWith(`kw_pub_v1_${key.key_id}_`)]).toEqual(["KEY_VISIBILITY_PUBLIC", true]);
});

test("a scope that is given twice counts once, also in a retry", async () => {
  const { key } = await api.issue({ scopes: ["b", "a", "b"], request_id: "scopes" });
  expect(key.scopes).toEqual(["b", "a"]);
  expect((await api.issue({ scopes: ["b", "a", "a", "b"], request_id: "scopes" })).keyId).toBe(key.key_id);
  expect(faults(await api.refused("AdminIssueApiKey", { scopes: ["a", "b"], request_id: "scopes" }))).toEqual(["ALREADY_EXISTS"]);
});

test("prefix and default ttl are settings", async () => {
  await using own = await startApi("grpc", { env: { KEYWRIGHT_KEY_PREFIX: "acme", KEYWRIGHT_DEFAULT_TTL: "1h" } });
  const { key, secret } = await own.issue();
  expect(secret).toMatch(/^acme_v1_/);
  expect(Date.parse(String(key.expire_time)) - Date.parse(String(key.create_time))).toBe(3_600_000);
  expect((await own.issue({ ttl: "60s" })).key.expire_time).not.toBe(key.expire_time);
  expect(await own.verify({ credential: secret })).toMatchObject({ is_valid: true });
});

describe("limits", () => {
  /** Metadata of exactly this many bytes of JSON. */
  const metadata = (byteLength: number, filler = "x") => ({
    metadata: { m: filler.repeat((byteLength - '{"m":""}'.length) / Buffer.byteLength(filler)) },
  });

  const nested = (levels: number): JsonObject => (levels === 1 ? { end: 1 } : { a: nested(levels - 1) });

  test.each<[string, JsonObject]>([
    ["a name of 255 characters", { name: "ü".repeat(255) }],
    ["an actor of 255 characters", { actor_id: "x".repeat(255) }],
    ["100 scopes", { scopes: manyScopes(100) }],
    ["a scope of 256 characters", { scopes: ["x".repeat(256)] }],
    ["metadata of 20 levels", { metadata: nested(20) }],
    ["numbers that every client can read", { metadata: { a: [2 ** 53 - 1, -0.1, 1e300] } }],
    ["metadata of 4096 bytes", metadata(4096)],
    ["metadata of 4096 bytes of UTF-8", metadata(4096, "\u{1f5dd}")],
    ["100 ranges", { ip_restriction: { allowed_cidrs: Array.from({ length: 100 }, (_, index) => `10.0.${index}.0/24`) } }],
    ["a request_id of 36 characters", { request_id: "x".repeat(36) }],
    ["the longest ttl", { ttl: "315360000s" }],
  ])("takes %s", async (_title, request) => {
    const { keyId, key } = await api.issue(request);
    expect(await api.get(keyId)).toEqual(key);
  });

  test.each<[string, JsonObject, string]>([
    ["a name of 256 characters", { name: "ü".repeat(256) }, "name"],
    ["an actor of 256 characters", { actor_id: "x".repeat(256) }, "actor_id"],
    ["101 scopes", { scopes: manyScopes(101) }, "scopes"],
    ["metadata of 21 levels", { metadata: nested(21) }, "metadata"],
    ["an integer of 54 bits in metadata", { metadata: { a: [2 ** 53] } }, "metadata"],
    ["a scope of 257 characters", { scopes: ["x".repeat(257)] }, "scopes[0]"],
    ["an empty scope", { scopes: [""] }, "scopes[0]"],
    ["metadata of 4097 bytes", metadata(4097), "metadata"],
    ["metadata of 4100 bytes of UTF-8", metadata(4100, "\u{1f5dd}"), "metadata"],
    ["101 ranges", { ip_restriction: { allowed_cidrs: Array(101).fill("10.0.0.0/8") } }, "ip_restriction.allowed_cidrs"],
    ["a range with host bits", { ip_restriction: { allowed_cidrs: ["10.0.0.1/8"] } }, "ip_restriction.allowed_cidrs[0]"],
    ["a request_id of 37 characters", { request_id: "x".repeat(37) }, "request_id"],
    ["a ttl above the maximum", { ttl: "315360001s" }, "ttl"],
    ["a ttl below a second", { ttl: "0.999s" }, "ttl"],
    ["an empty quota", { rate_limit_policy: { window: "1s" } }, "rate_limit_policy.quota"],
    ["a limit without a window", { rate_limit_policy: { quota: "1" } }, "rate_limit_policy.window"],
    ["an unknown unit", { rate_limit_policy: { quota: "1", window: "1s", unit: "moons" } }, "rate_limit_policy.unit"],
    ["an unknown visibility", { visibility: 7 }, "visibility"],
  ])("refuses %s", async (_title, request, field) => {
    expect(faults(await api.refused("AdminIssueApiKey", request))).toEqual(["INVALID_ARGUMENT", field]);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])("refuses %d in metadata, which only protobuf can carry", async (number) => {
    const struct = toBinary(StructSchema, create(StructSchema, { fields: { n: { kind: { case: "numberValue", value: number } } } }));
    // Field 5 of IssueApiKeyRequest, written by hand: the library's own JSON objects cannot contain such numbers.
    const error = await issueBytes(Buffer.from([(5 << 3) | 2, struct.length, ...struct]));
    expect([error?.code, error?.details]).toEqual([3, expect.stringContaining("metadata")]);
  });
});

describe("request_id", () => {
  test("of 20 concurrent requests with one id, one creates the key and gets its secret", async () => {
    const request = { name: "once", request_id: "at-once" };
    const issued = await Promise.all(Array.from({ length: 20 }, () => api.issue(request)));
    expect(new Set(issued.map(({ keyId }) => keyId)).size).toBe(1);
    expect(issued.filter(({ secret }) => secret !== "")).toHaveLength(1);
    expect((await api.call("AdminListIssuedApiKeys", { page_size: 1000 })).issued_api_keys).toSatisfy(
      (keys: readonly JsonObject[]) => keys.filter(({ name }) => name === "once").length === 1,
    );
  });

  test("a replay returns the current key", async () => {
    const request = { name: "replayed", request_id: "later" };
    const { keyId } = await api.issue(request);
    await api.call("AdminRevokeApiKey", { key_id: keyId, reason: "REVOCATION_REASON_KEY_COMPROMISE" });
    expect(await api.issue(request)).toMatchObject({ keyId, secret: "", key: { status: "KEY_STATUS_REVOKED" } });
  });

  test.each<JsonObject>([
    { name: "y" },
    { scopes: ["b", "a"] },
    { ttl: "2s" },
    { visibility: "KEY_VISIBILITY_PUBLIC" },
    { metadata: { a: "1" } },
  ])("another payload %j with the same id is refused", async (change) => {
    const first = { name: "x", scopes: ["a", "b"], ttl: "3600s", metadata: { a: 1 }, request_id: `reuse-${Object.keys(change)[0]}` };
    await api.issue(first);
    expect(await api.refused("AdminIssueApiKey", { ...first, ...change })).toMatchObject({
      code: "ALREADY_EXISTS",
      reason: "REQUEST_ID_REUSED",
    });
  });
});

function issueBytes(message: Buffer): Promise<ServiceError | null> {
  const client = new Client(new URL(api.server.url).host, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${api.server.adminToken}`);
  return new Promise((resolve) => {
    const path = "/keywright.v2alpha1.ApiKeysService/AdminIssueApiKey";
    client.makeUnaryRequest(
      path,
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      message,
      metadata,
      (error) => {
        client.close();
        resolve(error);
      },
    );
  });
}
