import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ApiHere, delay, faults, startApi } from "../support/api.ts";

let api: ApiHere;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

const errorCode = async (request: JsonObject, on = api, headers: Record<string, string> = {}) =>
  (await on.verify(request, { headers })).error_code ?? "valid";

test("a valid key is returned with all permissions of its holder", async () => {
  const { keyId, key, secret } = await api.issue({
    actor_id: "user_1",
    scopes: ["a", "b"],
    metadata: { plan: "gold" },
    ttl: "3600s",
    rate_limit_policy: { quota: "5", window: "60s" },
    visibility: "KEY_VISIBILITY_PUBLIC",
  });
  expect(await api.verify({ credential: secret })).toEqual({
    is_valid: true,
    key_id: keyId,
    actor_id: "user_1",
    scopes: ["a", "b"],
    metadata: { plan: "gold" },
    expire_time: key.expire_time,
    status: "KEY_STATUS_ACTIVE",
    visibility: "KEY_VISIBILITY_PUBLIC",
    issuer: expect.any(String),
    rate_limit_policy: { quota: "5", window: "60s", unit: "requests" },
    rate_limit_remaining: "4",
    rate_limit_reset_time: expect.any(String),
  });
});

test("a key expires on time, in the cache too", async () => {
  const { keyId, secret } = await api.issue({ ttl: "1s", actor_id: "user_1", scopes: ["a"] });
  expect(await errorCode({ credential: secret })).toBe("valid");
  api.pass(1050);
  const reply = await api.verify({ credential: secret });
  expect(reply).toMatchObject({
    is_valid: false,
    error_code: "VERIFICATION_ERROR_EXPIRED",
    error_message: expect.stringMatching(/./),
    key_id: keyId,
    status: "KEY_STATUS_EXPIRED",
  });
  expect([reply.scopes, reply.metadata]).toEqual([undefined, undefined]);
});

test("damaged, forged and unknown keys return NOT_FOUND with the same message", async () => {
  const { keyId, secret } = await api.issue();
  const other = await api.issue();
  const swapped = (at: number) => `${secret.slice(0, at)}${secret[at] === "0" ? "1" : "0"}${secret.slice(at + 1)}`;
  const tailStart = secret.lastIndexOf("_") + 1;
  const credentials = [
    secret.slice(0, -1),
    swapped(secret.length - 1),
    swapped(tailStart),
    swapped(tailStart + 33),
    secret.replace(keyId, other.keyId),
    secret.replace("kw_", "kw_pub_"),
    `${secret}0`,
    "sk_live_imported_by_nobody",
  ];
  const replies = new Set<string>();
  for (const credential of credentials) replies.add(JSON.stringify(await api.verify({ credential })));
  expect([...replies].map((reply) => JSON.parse(reply))).toEqual([
    { is_valid: false, error_code: "VERIFICATION_ERROR_NOT_FOUND", error_message: expect.any(String) },
  ]);
});

test("a credential with white space around it is refused", async () => {
  const { secret } = await api.issue();
  for (const credential of [` ${secret}`, `${secret}\n`]) expect(await errorCode({ credential })).not.toBe("valid");
});

describe("required_scopes", () => {
  test.each<[string[], string]>([
    [[], "valid"],
    [["a"], "valid"],
    [["b", "a"], "valid"],
    [["c"], "VERIFICATION_ERROR_INSUFFICIENT_SCOPE"],
    [["a", "c"], "VERIFICATION_ERROR_INSUFFICIENT_SCOPE"],
    [["A"], "VERIFICATION_ERROR_INSUFFICIENT_SCOPE"],
    [["a b"], "VERIFICATION_ERROR_INSUFFICIENT_SCOPE"],
  ])("%j of a key with a and b: %s", async (required_scopes, expected) => {
    const { secret } = await api.issue({ scopes: ["a", "b"] });
    expect(await errorCode({ credential: secret, required_scopes })).toBe(expected);
  });

  test("a revoked key returns REVOKED, whatever scopes are required", async () => {
    const { keyId, secret } = await api.issue();
    await api.call("AdminRevokeApiKey", { key_id: keyId, reason: "REVOCATION_REASON_SUPERSEDED" });
    expect(await errorCode({ credential: secret, required_scopes: ["a"] })).toBe("VERIFICATION_ERROR_REVOKED");
  });
});

describe("IP restriction", () => {
  const denied = "VERIFICATION_ERROR_IP_NOT_ALLOWED";
  const bound = (...allowed_cidrs: string[]) => api.issue({ ip_restriction: { allowed_cidrs } });

  test.each([
    ["10.0.0.0/8", "10.255.255.255", "valid"],
    ["10.0.0.0/8", "11.0.0.0", denied],
    ["10.0.0.0/8", "::ffff:10.1.2.3", "valid"],
    ["203.0.113.7/32", "203.0.113.7", "valid"],
    ["203.0.113.7/32", "203.0.113.8", denied],
    ["0.0.0.0/0", "2001:db8::1", denied],
    ["::/0", "10.0.0.1", denied],
    ["2001:db8::/32", "2001:0DB8:ffff::1", "valid"],
    ["2001:db8::/32", "2001:db9::1", denied],
  ])("%s for %s: %s", async (cidr, client_ip, expected) => {
    const { secret } = await bound(cidr);
    // Twice: from the store, and from the cache.
    for (let count = 0; count < 2; count += 1) expect(await errorCode({ credential: secret, client_ip })).toBe(expected);
  });

  test("one range of several is enough", async () => {
    const { secret } = await bound("10.0.0.0/8", "192.0.2.0/24");
    expect(await errorCode({ credential: secret, client_ip: "192.0.2.9" })).toBe("valid");
  });

  test("without client_ip the caller's own address counts", async () => {
    expect(await errorCode({ credential: (await bound("127.0.0.0/8")).secret })).toBe("valid");
    expect(await errorCode({ credential: (await bound("10.0.0.0/8")).secret })).toBe(denied);
  });

  test("client_ip must be an address", async () => {
    for (const client_ip of ["localhost", "10.0.0.0/8", "10.0.0.1:80"]) {
      expect(faults(await api.refused("AdminVerifyApiKey", { credential: "x", client_ip }))).toEqual(["INVALID_ARGUMENT", "client_ip"]);
    }
  });

  test("X-Forwarded-For is ignored from an untrusted peer", async () => {
    const { secret } = await bound("10.0.0.0/8");
    expect(await errorCode({ credential: secret }, api, { "x-forwarded-for": "10.0.0.1" })).toBe(denied);
  });

  test.each(["grpc", "json-http"] as const)("X-Forwarded-For is read from the right, past trusted proxies, over %s", async (over) => {
    await using behind = await startApi(over, { env: { KEYWRIGHT_TRUSTED_PROXIES: "127.0.0.0/8,192.0.2.0/24" } });
    const { secret } = await behind.issue({ ip_restriction: { allowed_cidrs: ["10.0.0.0/8"] } });
    const cases = [
      ["10.0.0.1", "valid"],
      ["10.0.0.1, 192.0.2.1", "valid"],
      ["198.51.100.1,10.0.0.1 , 192.0.2.1,192.0.2.2", "valid"],
      // Entries that a client writes itself are to the left of its address.
      ["10.0.0.1, 198.51.100.1", denied],
      ["10.0.0.1, 198.51.100.1, 192.0.2.1", denied],
      ["10.0.0.1, nonsense, 192.0.2.1", denied],
    ] as const;
    for (const [forwardedFor, expected] of cases) {
      const outcome = await errorCode({ credential: secret }, behind, { "x-forwarded-for": forwardedFor });
      expect(outcome, forwardedFor).toBe(expected);
    }
    const headers = { "x-forwarded-for": "198.51.100.1" };
    expect(await errorCode({ credential: secret, client_ip: "10.0.0.1" }, behind, headers)).toBe("valid");
  });
});

describe("last_used_time", () => {
  test("is visible within 5 s, also after cache hits, and only for valid verifications", async () => {
    const used = await api.issue();
    const refusedKey = await api.issue({ ip_restriction: { allowed_cidrs: ["10.0.0.0/8"] } });
    await api.verify({ credential: used.secret });
    await delay(20);
    const beforeMs = Date.now();
    await api.verify({ credential: used.secret });
    await api.verify({ credential: refusedKey.secret });
    const lastUse = async (keyId: string) => Date.parse(String((await api.get(keyId)).last_used_time ?? ""));
    await expect.poll(() => lastUse(used.keyId), { timeout: 5000, interval: 100 }).toBeGreaterThanOrEqual(beforeMs);
    expect(await lastUse(refusedKey.keyId)).toBeNaN();
    expect(await api.get(used.keyId)).toMatchObject({ update_time: used.key.update_time });
  });

  test("is written before a drain ends", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "keywright-test-"));
    const before = await startApi("grpc", { dataDir });
    const { keyId, secret } = await before.issue();
    await before.verify({ credential: secret });
    expect(await before.server.stop()).toBe(0);
    await using after = await startApi("grpc", { dataDir });
    expect(await after.get(keyId)).toHaveProperty("last_used_time");
    await rm(dataDir, { recursive: true });
  });
});
