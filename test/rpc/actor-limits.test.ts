import { hash } from "node:crypto";
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Api, faults, startApi } from "../support/api.ts";
import type { CallOptions } from "../support/clients/client.ts";
import { derive } from "../support/derive.ts";
import { token } from "../support/role-tokens.ts";

let api: Api;
const [admin, bounded] = [token(), token()];
beforeAll(async () => {
  const config = `admin_tokens:\n  - { name: bounded, sha256: ${hash("sha256", bounded)}, roles: [admin], tenants: ["*"], scope_ceiling: [a] }\n`;
  api = await startApi("grpc", { config, env: { KEYWRIGHT_ADMIN_TOKEN: admin } });
});
afterAll(() => api?.[Symbol.asyncDispose]());

const policy = (quota: number, window = "86400s") => ({ quota: String(quota), window });
const newActor = () => `actor {${crypto.randomUUID()}}/ü`;
const setLimit = (actor_id: string, quota: number, options?: CallOptions) =>
  api.call("AdminSetActorLimit", { actor_id, rate_limit_policy: policy(quota) }, options);
const keysOf = (actor_id: string, count: number, request: JsonObject = {}) =>
  Promise.all(Array.from({ length: count }, async () => (await api.issue({ actor_id, ...request })).secret));
const outcomeOf = ({ error_message, rate_limit_remaining, actor_rate_limit_remaining }: JsonObject) => [
  error_message ?? "valid",
  rate_limit_remaining ?? null,
  actor_rate_limit_remaining ?? null,
];
const outcome = async (credential: string, request: JsonObject = {}, options?: CallOptions) =>
  outcomeOf(await api.verify({ credential, ...request }, options));
const byActor = "the rate limit of the key's actor is exhausted";
const byKey = "the key's rate limit is exhausted";

test("twenty keys of one actor together have at most its limit", async () => {
  const actor = newActor();
  const secrets = await keysOf(actor, 20);
  await setLimit(actor, 30);
  const answers = await Promise.all(Array.from({ length: 60 }, (_, index) => api.verify({ credential: secrets[index % 20] as string })));
  expect(answers.filter(({ is_valid }) => is_valid)).toHaveLength(30);
  expect(await api.verify({ credential: secrets[0] as string })).toMatchObject({
    is_valid: false,
    error_code: "VERIFICATION_ERROR_RATE_LIMITED",
    error_message: byActor,
    refusing_limit: "REFUSING_LIMIT_ACTOR",
    actor_rate_limit_remaining: "0",
    actor_rate_limit_reset_time: expect.any(String),
  });
  expect(await outcome((await api.issue()).secret)).toEqual(["valid", null, null]);
  expect(await outcome((await api.issue({ actor_id: newActor() })).secret)).toEqual(["valid", null, null]);
});

test("the key's own limit and the actor's must both admit, and a refusal takes nothing from either", async () => {
  const actor = newActor();
  const [own, other] = (await keysOf(actor, 2, { rate_limit_policy: policy(3) })) as [string, string];
  await setLimit(actor, 5);
  expect(await outcome(own, { cost: 2 })).toEqual(["valid", "1", "3"]);
  expect(await outcome(own, { cost: 2 })).toEqual([byKey, "1", "3"]);
  expect(await api.verify({ credential: own, cost: 2 })).toMatchObject({ refusing_limit: "REFUSING_LIMIT_KEY" });
  expect(await outcome(other, { cost: 2 })).toEqual(["valid", "1", "1"]);
  expect(await outcome((await keysOf(actor, 1))[0] as string, { cost: 2 })).toEqual([byActor, null, "1"]);
  expect(await outcome(other, { cost: 0 })).toEqual(["valid", "1", "1"]);
  expect(await outcome(other)).toEqual(["valid", "0", "0"]);
  expect(await outcome(own)).toEqual([byActor, "1", "0"]);
});

test("headers contain both limits, and when to retry", async () => {
  const actor = newActor();
  const { secret } = await api.issue({ actor_id: actor, rate_limit_policy: policy(3) });
  await setLimit(actor, 1);
  const verify = async () => {
    const answer = await fetch(`${api.server.url}/v2alpha1/admin/apiKeys:verify`, {
      method: "POST",
      headers: { authorization: `Bearer ${api.server.adminToken}`, "content-type": "application/json" },
      body: JSON.stringify({ credential: secret }),
    });
    return ["ratelimit-policy", "ratelimit", "retry-after"].map((name) => answer.headers.get(name));
  };
  expect(await verify()).toEqual(['"key";q=3;w=86400, "actor";q=1;w=86400', '"key";r=2;t=28800, "actor";r=0;t=86400', null]);
  expect(Number((await verify())[2])).toBeGreaterThan(86_000);
});

test("imported keys, derived tokens, derivations and batches take from the actor's limit too", async () => {
  const actor = newActor();
  const { secret } = await api.issue({ actor_id: actor });
  const raw_key = `import-${crypto.randomUUID()}`;
  await api.call("AdminImportApiKey", { raw_key, name: "n", actor_id: actor });
  await setLimit(actor, 5);
  const derived = await derive(api, secret, { algorithm: "TOKEN_ALGORITHM_JWT" });
  expect(await outcome(derived.token)).toEqual(["valid", null, "3"]);
  expect(await outcome(raw_key)).toEqual(["valid", null, "2"]);
  const { results } = await api.call("AdminBatchVerifyApiKeys", {
    requests: [secret, raw_key, derived.token].map((credential) => ({ credential })),
  });
  expect((results as JsonObject[]).map(outcomeOf)).toEqual([
    ["valid", null, "1"],
    ["valid", null, "0"],
    [byActor, null, "0"],
  ]);
  const refusal = await api.refused("AdminDeriveToken", { credential: secret, algorithm: "TOKEN_ALGORITHM_JWT" });
  expect(refusal).toMatchObject({ reason: "RATE_LIMITED", message: byActor });
});

test("a changed limit applies at once and keeps spent units; a removed one no longer applies", async () => {
  const actor = newActor();
  const [secret] = (await keysOf(actor, 1)) as [string];
  expect(await outcome(secret)).toEqual(["valid", null, null]);
  await setLimit(actor, 10);
  expect(await outcome(secret, { cost: 6 })).toEqual(["valid", null, "4"]);
  await setLimit(actor, 20);
  expect(await outcome(secret)).toEqual(["valid", null, "13"]);
  await setLimit(actor, 5);
  expect((await outcome(secret))[0]).toBe(byActor);
  await api.call("AdminRemoveActorLimit", { actor_id: actor });
  expect(await outcome(secret)).toEqual(["valid", null, null]);
  expect(await api.refused("AdminRemoveActorLimit", { actor_id: actor })).toMatchObject({ reason: "ACTOR_LIMIT_NOT_FOUND" });
  await setLimit(actor, 5);
  expect((await outcome(secret))[0]).toBe(byActor);
});

test("a tenant's limit applies to each actor without its own limit, and not to actors of other tenants", async () => {
  const tenant_id = `t-${crypto.randomUUID()}`;
  const inTenant = { headers: { "keywright-tenant": tenant_id } };
  await api.call("AdminCreateTenant", { tenant_id, tenant: { actor_rate_limit_policy: policy(2) } });
  const issue = async (actor_id: string) => String((await api.call("AdminIssueApiKey", { actor_id }, inTenant)).secret);
  const [ann, more, bob, nobody] = [await issue("ann"), await issue("ann"), await issue("bob"), await issue("")];
  expect(await outcome(ann, {}, inTenant)).toEqual(["valid", null, "1"]);
  expect(await outcome(more, {}, inTenant)).toEqual(["valid", null, "0"]);
  expect(await outcome(ann, {}, inTenant)).toEqual([byActor, null, "0"]);
  expect(await outcome(bob, {}, inTenant)).toEqual(["valid", null, "1"]);
  expect(await outcome(nobody, {}, inTenant)).toEqual(["valid", null, null]);
  await setLimit("ann", 100);
  expect(await outcome(ann, {}, inTenant)).toEqual([byActor, null, "0"]);
  await setLimit("ann", 100, inTenant);
  expect(await outcome(ann, { cost: 0 }, inTenant)).toEqual(["valid", null, "98"]);
  await api.call("AdminRemoveActorLimit", { actor_id: "ann" }, inTenant);
  await api.call("AdminUpdateTenant", { tenant: { tenant_id }, update_mask: "actorRateLimitPolicy" });
  expect(await outcome(ann, {}, inTenant)).toEqual(["valid", null, null]);
});

test("limits are listed in pages, or for one actor", async () => {
  const actors = Array.from({ length: 5 }, newActor);
  for (const [index, actor] of actors.entries()) await setLimit(actor, index + 1);
  const listed: string[] = [];
  for (let page_token = "", isLast = false; !isLast; isLast = page_token === "") {
    const page = await api.call("AdminListActorLimits", { page_size: 2, page_token });
    listed.push(...(page.actor_limits as JsonObject[]).map(({ actor_id }) => String(actor_id)));
    page_token = String(page.next_page_token ?? "");
  }
  expect(new Set(listed).size).toBe(listed.length);
  expect(listed).toEqual(expect.arrayContaining(actors));
  const one = await api.call("AdminListActorLimits", { actor_id: actors[3] as string });
  expect(one).toMatchObject({
    actor_limits: [{ actor_id: actors[3], rate_limit_policy: { quota: "4", window: "86400s", unit: "requests" } }],
  });
  expect(await api.call("AdminListActorLimits", { actor_id: newActor() })).toEqual({});
});

test("a limit that is not enforced is refused, and so are callers with a ceiling; the record is not a key", async () => {
  const actor_id = newActor();
  const bytes = { actor_id, rate_limit_policy: { ...policy(1), unit: "content-bytes" } };
  expect(faults(await api.refused("AdminSetActorLimit", bytes))).toEqual(["INVALID_ARGUMENT", "rate_limit_policy.unit"]);
  const asCeiling = { token: bounded };
  for (const [method, request] of [
    ["AdminSetActorLimit", { actor_id, rate_limit_policy: policy(1) }],
    ["AdminRemoveActorLimit", { actor_id }],
    ["AdminUpdateTenant", { tenant: { tenant_id: "default" }, update_mask: "actorRateLimitPolicy" }],
  ] as const)
    expect((await api.refused(method, request, asCeiling)).code).toBe("PERMISSION_DENIED");
  await setLimit(actor_id, 1);
  const { audit_events } = await api.call("AdminListAuditEvents", { filter: 'method="AdminSetActorLimit"', page_size: 1 });
  const [event] = audit_events as [JsonObject];
  expect(event.changed_fields).toEqual(["rate_limit_policy"]);
  const [key_id] = event.key_ids as [string];
  for (const method of ["AdminDisableApiKey", "AdminGetIssuedApiKey", "AdminGetImportedApiKey", "AdminDeleteImportedApiKey"])
    expect((await api.refused(method, { key_id })).code).toBe("NOT_FOUND");
  expect((await api.refused("AdminRevokeApiKey", { key_id, reason: "REVOCATION_REASON_SUPERSEDED" })).code).toBe("NOT_FOUND");
});
