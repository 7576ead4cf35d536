import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiHere, faults, startApi } from "../support/api.ts";

let api: ApiHere;
beforeAll(async () => {
  api = await startApi("json-http");
});
afterAll(() => api?.[Symbol.asyncDispose]());

async function verifyAll(requests: JsonObject[], headers: Record<string, string> = {}): Promise<JsonObject[]> {
  return (await api.call("AdminBatchVerifyApiKeys", { requests }, { headers })).results as JsonObject[];
}

const codes = (results: readonly JsonObject[]) => results.map(({ error_code }) => error_code ?? "valid");

async function importKey(raw_key: string): Promise<string> {
  return String((await api.call("AdminImportApiKey", { raw_key, name: "x", actor_id: "importer" })).key_id);
}

test("each credential gets the same result as alone, in order", async () => {
  const issued = await api.issue({ actor_id: "user_1", scopes: ["a"], metadata: { plan: "gold" } });
  const revoked = await api.issue();
  await api.call("AdminRevokeApiKey", { key_id: revoked.keyId, reason: "REVOCATION_REASON_SUPERSEDED" });
  const expired = await api.issue({ ttl: "1s" });
  const bound = await api.issue({ ip_restriction: { allowed_cidrs: ["10.0.0.0/8"] } });
  await importKey("batch-verified-raw-key");
  api.pass(1050);
  const requests: JsonObject[] = [
    { credential: issued.secret, required_scopes: ["a"] },
    { credential: revoked.secret },
    { credential: `${issued.secret.slice(0, -1)}!` },
    { credential: "batch-verified-raw-key" },
    { credential: issued.secret, required_scopes: ["b"] },
    { credential: expired.secret },
    { credential: bound.secret, client_ip: "10.1.2.3" },
    { credential: bound.secret },
    { credential: issued.secret },
  ];
  const results = await verifyAll(requests);
  expect(codes(results)).toEqual([
    "valid",
    "VERIFICATION_ERROR_REVOKED",
    "VERIFICATION_ERROR_NOT_FOUND",
    "valid",
    "VERIFICATION_ERROR_INSUFFICIENT_SCOPE",
    "VERIFICATION_ERROR_EXPIRED",
    "valid",
    "VERIFICATION_ERROR_IP_NOT_ALLOWED",
    "valid",
  ]);
  for (const [index, request] of requests.entries()) expect(results[index], String(index)).toEqual(await api.verify(request));
});

test("an invalid item names its fields and does not affect others", async () => {
  const { secret } = await api.issue();
  const results = await verifyAll([
    { credential: secret },
    {},
    { credential: secret, client_ip: "localhost", required_scopes: [""] },
    { credential: secret },
  ]);
  expect(codes(results)).toEqual(["valid", "VERIFICATION_ERROR_INVALID_FORMAT", "VERIFICATION_ERROR_INVALID_FORMAT", "valid"]);
  expect(results[1]?.error_message).toMatch(/^credential: /);
  expect(results[2]?.error_message).toMatch(/client_ip: .*required_scopes\[0\]: /);
});

test("a batch may have 1 to 100 credentials", async () => {
  const { secret } = await api.issue();
  for (const count of [0, 101]) {
    const requests = Array.from({ length: count }, () => ({ credential: secret }));
    expect(faults(await api.refused("AdminBatchVerifyApiKeys", { requests }))).toEqual(["INVALID_ARGUMENT", "requests"]);
  }
  const keys = await Promise.all(Array.from({ length: 100 }, () => api.issue()));
  const results = await verifyAll(keys.map((key) => ({ credential: key.secret })));
  expect(results.map(({ key_id, is_valid }) => [key_id, is_valid])).toEqual(keys.map(({ keyId }) => [keyId, true]));
});

test("cache directives apply to all, and Cache-Status reports the most distant level", async () => {
  const keys = [await api.issue(), await api.issue()];
  const requests = keys.map(({ secret }) => ({ credential: secret }));
  const statusOf = async (cacheControl?: string) => {
    const response = await fetch(`${api.server.url}/v2alpha1/admin/apiKeys:batchVerify`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${api.server.adminToken}`,
        "content-type": "application/json",
        ...(cacheControl === undefined ? {} : { "cache-control": cacheControl }),
      },
      body: JSON.stringify({ requests }),
    });
    const { results } = (await response.json()) as { results: JsonObject[] };
    expect(codes(results)).toEqual(["valid", "valid"]);
    return response.headers.get("cache-status");
  };
  expect(await statusOf()).toBe("keywright; fwd=miss");
  expect(await statusOf()).toBe("keywright; hit");
  expect(await statusOf("no-cache")).toBe("keywright; fwd=bypass");
  requests.push({ credential: (await api.issue()).secret });
  requests.shift();
  expect(await statusOf()).toBe("keywright; fwd=miss");
});

test("every valid key counts as used", async () => {
  const keys = [await api.issue(), await api.issue()];
  const unused = await api.issue();
  await verifyAll([...keys.map(({ secret }) => ({ credential: secret })), { credential: unused.secret, required_scopes: ["none"] }]);
  for (const { keyId } of keys) {
    await expect.poll(async () => (await api.get(keyId)).last_used_time, { timeout: 5000, interval: 100 }).toEqual(expect.any(String));
  }
  expect(await api.get(unused.keyId)).not.toHaveProperty("last_used_time");
});
