import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Api, startApi } from "../support/api.ts";
import { asObject } from "../support/clients/client.ts";
import { derive } from "../support/derive.ts";
import { httpSender, type Send } from "../support/http.ts";

let api: Api;
let send: Send;
beforeAll(async () => {
  api = await startApi();
  send = httpSender(api.server.url, api.server.adminToken);
});
afterAll(() => api?.[Symbol.asyncDispose]());

const limited = "VERIFICATION_ERROR_RATE_LIMITED";
const policy = (quota: number, window = "3600s", unit = "requests") => ({ rate_limit_policy: { quota: String(quota), window, unit } });

/** The limit's result in verify: valid or the error code, and the remaining units. */
const outcome = async (request: JsonObject) => outcomeOf(await api.verify(request));
const outcomeOf = ({ error_code, rate_limit_remaining }: JsonObject) => [error_code ?? "valid", rate_limit_remaining ?? null];
const outcomes = async (...requests: JsonObject[]) => {
  const answers: unknown[] = [];
  for (const request of requests) answers.push(await outcome(request));
  return answers;
};

describe("a key with a policy", () => {
  test("verifies as often as its quota allows, then is refused and told when the quota is complete again", async () => {
    const { keyId, secret } = await api.issue({ ...policy(2), actor_id: "user_1", scopes: ["a"] });
    expect(await outcomes({ credential: secret }, { credential: secret })).toEqual([
      ["valid", "1"],
      ["valid", "0"],
    ]);
    const refused = await api.verify({ credential: secret });
    expect(refused).toEqual({
      is_valid: false,
      error_code: limited,
      error_message: expect.stringMatching(/rate limit/),
      key_id: keyId,
      actor_id: "user_1",
      status: "KEY_STATUS_ACTIVE",
      visibility: "KEY_VISIBILITY_SECRET",
      rate_limit_remaining: "0",
      rate_limit_reset_time: expect.any(String),
    });
    const untilWholeMs = Date.parse(String(refused.rate_limit_reset_time)) - Date.now();
    expect(untilWholeMs).toBeGreaterThan(3_500_000);
    expect(untilWholeMs).toBeLessThan(3_601_000);
  });

  test("is refilled at the rate", async () => {
    const { secret } = await api.issue(policy(5, "1s"));
    await outcome({ credential: secret, cost: 5 });
    expect((await outcome({ credential: secret, cost: 5 }))[0]).toBe(limited);
    await expect.poll(() => outcome({ credential: secret, cost: 5 }), { timeout: 10_000 }).toEqual(["valid", "0"]);
  });

  test("pays the cost of the call, nothing for a cost of 0, and never a part", async () => {
    const { secret } = await api.issue(policy(10));
    const credential = secret;
    expect(
      await outcomes(
        { credential, cost: 0 },
        { credential, cost: 7 },
        { credential, cost: 4 },
        { credential, cost: 3 },
        { credential, cost: 0 },
      ),
    ).toEqual([
      ["valid", "10"],
      ["valid", "3"],
      [limited, "3"],
      ["valid", "0"],
      ["valid", "0"],
    ]);
    expect((await outcome({ credential, cost: 11 }))[0]).toBe(limited);
    expect((await api.refused("AdminVerifyApiKey", { credential, cost: -1 })).violations.map(({ field }) => field)).toEqual(["cost"]);
  });

  test("pays nothing for calls that are refused for other reasons", async () => {
    const { keyId, secret } = await api.issue({ ...policy(3), scopes: ["a"], ip_restriction: { allowed_cidrs: ["192.0.2.0/24"] } });
    const mine = { credential: secret, client_ip: "192.0.2.1" };
    await outcomes(
      { credential: secret, client_ip: "198.51.100.1" },
      { ...mine, required_scopes: ["b"] },
      { credential: `${secret.slice(0, -1)}${secret.endsWith("0") ? "1" : "0"}` },
      { credential: keyId },
    );
    expect(await outcome(mine)).toEqual(["valid", "2"]);
    await api.call("AdminRevokeApiKey", { key_id: keyId, reason: "REVOCATION_REASON_SUPERSEDED" });
    expect(await outcome(mine)).toEqual(["VERIFICATION_ERROR_REVOKED", null]);
  });

  test("counts the same with and without the cache", async () => {
    const { secret } = await api.issue(policy(4));
    const left: unknown[] = [];
    for (const cacheControl of ["no-store", "max-age=0", "no-cache", "max-age=0", "no-store"]) {
      left.push(outcomeOf(await api.verify({ credential: secret }, { headers: { "cache-control": cacheControl } }))[1]);
    }
    expect(left).toEqual(["3", "2", "1", "0", "0"]);
  });

  test("keeps spent units when its policy changes, and has no limit without one", async () => {
    const { keyId, secret } = await api.issue(policy(10, "86400s"));
    await outcome({ credential: secret, cost: 6 });
    const change = (issued_api_key: JsonObject) =>
      api.call("AdminUpdateIssuedApiKey", { issued_api_key: { key_id: keyId, ...issued_api_key }, update_mask: "rateLimitPolicy" });
    await change(policy(20, "86400s"));
    expect(await outcome({ credential: secret })).toEqual(["valid", "13"]);
    await change(policy(5, "86400s"));
    expect(await outcome({ credential: secret })).toEqual([limited, "0"]);
    await change({});
    expect(await outcome({ credential: secret })).toEqual(["valid", null]);
  });
});

test("imported keys have limits too", async () => {
  const credential = `partner-${crypto.randomUUID()}`;
  await api.call("AdminImportApiKey", { raw_key: credential, name: "partner", actor_id: "user_1", ...policy(1) });
  expect(await outcomes({ credential }, { credential })).toEqual([
    ["valid", "0"],
    [limited, "0"],
  ]);
});

test("derived tokens count against their root key", async () => {
  // Two derivations and three verifications.
  const { secret } = await api.issue(policy(5));
  const jwt = (await derive(api, secret)).token;
  const fromJwt = (await derive(api, jwt)).token;
  expect(await outcomes({ credential: jwt }, { credential: fromJwt }, { credential: secret }, { credential: jwt })).toEqual([
    ["valid", "2"],
    ["valid", "1"],
    ["valid", "0"],
    [limited, "0"],
  ]);
});

test("other units are stored and returned, but not enforced", async () => {
  const { secret, key } = await api.issue(policy(1, "60s", "content-bytes"));
  expect(key.rate_limit_policy).toEqual({ quota: "1", window: "60s", unit: "content-bytes" });
  expect(await outcomes({ credential: secret }, { credential: secret })).toEqual([
    ["valid", null],
    ["valid", null],
  ]);
});

test("each item of a batch pays, in order", async () => {
  const [one, two] = [await api.issue(policy(3)), await api.issue(policy(1))];
  const batch = async (...requests: JsonObject[]) =>
    ((await api.call("AdminBatchVerifyApiKeys", { requests })).results as JsonObject[]).map(outcomeOf);
  const [a, b] = [{ credential: one.secret }, { credential: two.secret }];
  expect(await batch(a, b, { ...a, cost: 0 }, { credential: "nobody's" }, b, { ...a, cost: 3 }, a, a, a)).toEqual([
    ["valid", "2"],
    ["valid", "0"],
    ["valid", "2"],
    ["VERIFICATION_ERROR_NOT_FOUND", null],
    [limited, "0"],
    [limited, "2"],
    ["valid", "1"],
    ["valid", "0"],
    [limited, "0"],
  ]);
});

test("headers contain the same, without naming the key", async () => {
  const { secret } = await api.issue(policy(2, "60s"));
  const headers = async () => {
    const answer = await send("POST", "/v2alpha1/admin/apiKeys:verify", { body: { credential: secret } });
    expect(answer.status).toBe(200);
    return ["ratelimit-policy", "ratelimit", "retry-after"].map((name) => answer.headers.get(name));
  };
  expect(await headers()).toEqual(['"key";q=2;w=60', '"key";r=1;t=30', null]);
  expect(await headers()).toEqual(['"key";q=2;w=60', expect.stringMatching(/^"key";r=0;t=(60|59)$/), null]);
  expect(await headers()).toEqual(['"key";q=2;w=60', expect.stringMatching(/^"key";r=0;t=(60|59)$/), expect.stringMatching(/^(30|29)$/)]);

  const huge = await api.issue({ rate_limit_policy: { quota: String(2n ** 63n - 1n), window: "1.5s" } });
  const answer = await send("POST", "/v2alpha1/admin/apiKeys:verify", { body: { credential: huge.secret } });
  expect(answer.headers.get("ratelimit-policy")).toBe('"key";q=999999999999999;w=2');
  const free = await api.issue();
  const none = await send("POST", "/v2alpha1/admin/apiKeys:verify", { body: { credential: free.secret } });
  expect([none.headers.get("ratelimit-policy"), none.headers.get("ratelimit")]).toEqual([null, null]);
});

test("a refused verification is not a use of the key", async () => {
  const { keyId, secret } = await api.issue(policy(1));
  await api.verify({ credential: secret });
  const lastUse = async (id: string) => asObject(await api.get(id)).last_used_time;
  await expect.poll(() => lastUse(keyId), { timeout: 6000 }).toBeDefined();
  const used = await lastUse(keyId);
  expect((await outcome({ credential: secret }))[0]).toBe(limited);
  // A use after the refusal, which is written no earlier than a use at the refusal would be.
  const later = await api.issue();
  await api.verify({ credential: later.secret });
  await expect.poll(() => lastUse(later.keyId), { timeout: 6000 }).toBeDefined();
  expect(await lastUse(keyId)).toBe(used);
});
