import { hash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { createRemoteJWKSet, decodeJwt, exportJWK, generateKeyPair, jwtVerify } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { VerifyApiKeyResponseSchema } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import { readJwkSets } from "../../src/core/token/jwk-set.ts";
import { createIdentityTokens } from "../../src/gateways/identity-tokens.ts";
import { type Api, apiOf } from "../support/api.ts";
import { createRoleTokens, token } from "../support/role-tokens.ts";
import { startServerHere } from "../support/server-here.ts";
import { type Answer, type AskOptions, ask, askHttp2 } from "./ask.ts";

const roles = createRoleTokens();
const ofDefault = token();
const ofSome = token();
const config = [
  roles.config.trimEnd(),
  `  - { name: of-default, sha256: ${hash("sha256", ofDefault)}, roles: [verifier] }`,
  `  - { name: of-some, sha256: ${hash("sha256", ofSome)}, roles: [verifier], tenants: [acme, other] }`,
].join("\n");
let api: Api;
beforeAll(async () => {
  const env = {
    KEYWRIGHT_ADMIN_TOKEN: roles.admin,
    KEYWRIGHT_TRUSTED_PROXIES: "127.0.0.1/32",
    KEYWRIGHT_CORS_ORIGINS: "https://page.example",
    KEYWRIGHT_FAILED_VERIFY_LIMIT: "2/1h",
  };
  api = apiOf(await startServerHere({ config, env }), "grpc");
});
afterAll(() => api?.[Symbol.asyncDispose]());

const identityNames = ["actor", "key-id", "scopes", "tenant", "metadata", "identity"].map((name) => `x-keywright-${name}`);

/** Sends a request as a gateway. */
function gateway(path: string, credential?: string, { headers = {}, ...options }: AskOptions = {}): Promise<Answer> {
  const shown: Record<string, string> = credential === undefined ? {} : { authorization: `Bearer ${credential}` };
  return ask(api.server.port, path, { ...options, headers: { "x-keywright-token": roles.verifier, ...shown, ...headers } });
}

const problemOf = ({ status, body }: Answer) => {
  const { message, details } = JSON.parse(body) as { message: string; details: readonly { reason?: string }[] };
  return [status, details[0]?.reason, message];
};

test("a valid key passes with every identity header and no body, whatever the method, query and headers of the end user are", async () => {
  const metadata = { team: "blue", sign: "ü" };
  const { keyId, secret } = await api.issue({
    actor_id: "émile, 50%",
    scopes: ["read", "write"],
    metadata,
    rate_limit_policy: { quota: "100", window: "3600s" },
  });
  const expected = {
    "x-keywright-actor": "%C3%A9mile%2C%2050%25",
    "x-keywright-key-id": keyId,
    "x-keywright-scopes": "read write",
    "x-keywright-tenant": "default",
    "x-keywright-metadata": Buffer.from(JSON.stringify(metadata)).toString("base64url"),
    "x-keywright-identity": "",
    "ratelimit-policy": '"key";q=100;w=3600',
    "cache-control": "no-store",
  };
  const preflight = { origin: "https://page.example", "access-control-request-method": "GET" };
  const requests: AskOptions[] = [
    { method: "GET" },
    { method: "POST", body: Buffer.alloc(300_000), headers: { "content-type": "application/grpc" } },
    { method: "DELETE", headers: { "connect-protocol-version": "1" } },
    { method: "OPTIONS", headers: preflight },
    { method: "PROPFIND", headers: { "x-keywright-actor": "spoofed" } },
  ];
  for (const options of requests) {
    const answer = await gateway("/gateway/verify/scopes=read,write/cost=2?cost=0&scopes=", secret, options);
    expect([answer.status, answer.body], options.method).toEqual([200, ""]);
    expect(answer.headers).toMatchObject(expected);
  }
  // The path set the cost, not the query.
  expect((await gateway("/gateway/verify/cost=0", secret)).headers.ratelimit).toMatch(/"key";r=90;/);
  expect((await gateway("/gateway/verify", secret, { method: "HEAD" })).status).toBe(200);
});

test("HTTP/2 gives the same result, and an unread upload does not keep its stream open", async () => {
  const { keyId, secret } = await api.issue();
  const headers = { "x-keywright-token": roles.verifier, authorization: `Bearer ${secret}` };
  const answer = await askHttp2(api.server.port, "/gateway/verify", { method: "PUT", headers, body: Buffer.alloc(1000) });
  expect([answer.status, answer.body]).toEqual([200, ""]);
  expect(Object.fromEntries(identityNames.map((name) => [name, answer.headers[name]]))).toEqual({
    "x-keywright-actor": "",
    "x-keywright-key-id": keyId,
    "x-keywright-scopes": "",
    "x-keywright-tenant": "default",
    "x-keywright-metadata": "",
    "x-keywright-identity": "",
  });
  const refused = await askHttp2(api.server.port, "/gateway/verify/cost=x", { headers: { "x-keywright-token": roles.verifier } });
  expect(refused.status).toBe(400);
});

test("requests that the key does not allow are refused with the challenge of RFC 6750", async () => {
  const { keyId, secret } = await api.issue({ scopes: ["read"] });
  const missing = await gateway("/gateway/verify");
  expect(problemOf(missing)).toEqual([401, "CREDENTIAL_MISSING", "an API key is required"]);
  expect(missing.headers["www-authenticate"]).toBe('Bearer realm="keywright"');
  expect(identityNames.filter((name) => name in missing.headers)).toEqual([]);

  const wrongScope = await gateway("/gateway/verify/scopes=read,pay%2Ffast", secret);
  expect(problemOf(wrongScope)).toEqual([403, "SCOPE_MISSING", "a required scope is missing"]);
  expect(wrongScope.headers["www-authenticate"]).toBe('Bearer realm="keywright", error="insufficient_scope", scope="read pay/fast"');

  await api.call("AdminRevokeApiKey", { key_id: keyId, reason: "REVOCATION_REASON_KEY_COMPROMISE" });
  const revoked = await gateway("/gateway/verify", secret);
  expect(problemOf(revoked)).toEqual([401, "CREDENTIAL_INVALID", "the credential was revoked"]);
  expect(revoked.headers["www-authenticate"]).toBe('Bearer realm="keywright", error="invalid_token"');
  expect(revoked.headers["content-type"]).toBe("application/json");
});

test("a request over the limit gets 429 with Retry-After, or 403 for gateways that cannot pass on a 429", async () => {
  const { secret } = await api.issue({ rate_limit_policy: { quota: "1", window: "3600s" } });
  expect((await gateway("/gateway/verify", secret)).status).toBe(200);
  for (const [path, status] of [
    ["/gateway/verify", 429],
    ["/gateway/verify/429=403", 403],
  ] as const) {
    const answer = await gateway(path, secret);
    expect(problemOf(answer)).toEqual([status, "RATE_LIMITED", "the key's rate limit is exhausted"]);
    expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
    expect(answer.headers).toMatchObject({ ratelimit: expect.stringMatching(/"key";r=0;t=\d+/), "ratelimit-policy": '"key";q=1;w=3600' });
  }
});

test.each([
  ["two lines of Authorization", { authorization: ["Bearer KEY", "Bearer other"] }],
  ["Authorization with a comma", { authorization: "Bearer KEY, Bearer other" }],
  ["two schemes", { authorization: "Basic YTpi, Bearer KEY" }],
  ["another scheme", { authorization: "Basic YTpi" }],
  ["Authorization beside X-Api-Key", { authorization: "Bearer KEY", "x-api-key": "KEY" }],
  ["two lines of X-Api-Key", { "x-api-key": ["KEY", "KEY"] }],
  ["two words", { "x-api-key": "KEY KEY" }],
])("%s is refused", async (_, headers) => {
  const { secret } = await api.issue();
  const filled = JSON.parse(JSON.stringify(headers).replaceAll("KEY", secret)) as Record<string, string | string[]>;
  const answer = await gateway("/gateway/verify", undefined, { headers: filled });
  expect(problemOf(answer).slice(0, 2)).toEqual([401, "CREDENTIAL_INVALID"]);
  expect(answer.body).not.toContain(secret);
});

test("the key may also be in X-Api-Key, or only in the header that the route names", async () => {
  const { secret } = await api.issue();
  const statusOf = async (path: string, headers: AskOptions["headers"]) =>
    (await gateway(path, undefined, { headers: headers ?? {} })).status;
  expect(await statusOf("/gateway/verify", { "x-api-key": secret })).toBe(200);
  expect(await statusOf("/gateway/verify/header=x-acme-key", { "x-acme-key": secret, authorization: "Basic YTpi" })).toBe(200);
  expect(await statusOf("/gateway/verify/header=x-acme-key", { "x-api-key": secret })).toBe(401);
  expect(await statusOf(`/gateway/verify?api_key=${secret}`, {})).toBe(401);
});

test.each([
  ["an unknown demand", "/gateway/verify/scope=read", "unknown demand"],
  ["a demand of an object's own name", "/gateway/verify/constructor=1", "unknown demand"],
  ["an empty segment", "/gateway/verify//cost=1", "unknown demand"],
  ["a slash at the end", "/gateway/verify/", "unknown demand"],
  ["a path of an end user", "/gateway/verify/orders/1", "unknown demand"],
  ["a demand that is given twice", "/gateway/verify/cost=2/cost=0", "cost: must not be given twice"],
  ["a cost that is not a number", "/gateway/verify/cost=-1", "cost: must be 0 to 1000000"],
  ["a cost over the maximum", "/gateway/verify/cost=1000001", "cost: must be 0 to 1000000"],
  ["an empty scope", "/gateway/verify/scopes=read,", "scopes: must be 1 to 100 scopes"],
  ["no value", "/gateway/verify/scopes", "scopes: must be 1 to 100 scopes"],
  ["an empty audience", "/gateway/verify/audience=", "audience: must be 1 to 255 characters"],
  ["broken percent-encoding", "/gateway/verify/audience=%zz", "audience: is not percent-encoded correctly"],
  ["an invalid tenant", "/gateway/verify/tenant=A", "tenant: must be the id of a tenant"],
  ["another status for 429", "/gateway/verify/429=200", "429: must be 403"],
  ["an identity without an audience", "/gateway/verify/identity=jwt", "identity: needs an audience"],
])("%s closes the route", async (_, path, text) => {
  const { secret } = await api.issue();
  const answer = await gateway(path, secret);
  expect(answer.status).toBe(400);
  expect(JSON.parse(answer.body).message).toContain(text);
});

test("after a segment `-` the path is the end user's and has no demands", async () => {
  const { secret } = await api.issue({ scopes: ["read"] });
  for (const path of ["", "/", "/cost=0/x", "/../verify/scopes=pay", "//%2e%2e"]) {
    expect((await gateway(`/gateway/verify/scopes=read/-${path}`, secret)).status, path).toBe(200);
  }
  expect((await gateway("/gateway/verify/scopes=pay/-/scopes=read", secret)).status).toBe(403);
  expect((await gateway("/gateway/verifying", secret)).status).toBe(404);
});

test("a gateway without a token that may verify gets 403, because 401 would concern the end user's key", async () => {
  const { secret } = await api.issue();
  for (const token of [undefined, "", "unknown", roles.auditor, `${roles.verifier}, ${roles.verifier}`]) {
    const headers: Record<string, string> = { authorization: `Bearer ${secret}` };
    if (token !== undefined) headers["x-keywright-token"] = token;
    const answer = await ask(api.server.port, "/gateway/verify/scopes=unknown", { headers });
    expect([answer.status, answer.headers["www-authenticate"]], token).toEqual([403, undefined]);
  }
  // Demands are not read for a caller without permission.
  expect((await ask(api.server.port, "/gateway/verify/unknown", { headers: { "x-keywright-token": "unknown" } })).status).toBe(403);
});

test("the address of the end user is the one that a trusted proxy states, and unknown otherwise", async () => {
  const here = await api.issue({ ip_restriction: { allowed_cidrs: ["127.0.0.0/8"] } });
  const there = await api.issue({ ip_restriction: { allowed_cidrs: ["192.0.2.0/24"] } });
  const statusOf = async (key: string, forwarded?: string, localAddress = "127.0.0.1") =>
    (await gateway("/gateway/verify", key, { localAddress, headers: forwarded === undefined ? {} : { "x-forwarded-for": forwarded } }))
      .status;
  expect(await statusOf(there.secret, "192.0.2.7")).toBe(200);
  expect(await statusOf(there.secret, "192.0.2.7, 198.51.100.1")).toBe(403);
  expect(await statusOf(here.secret, "192.0.2.7")).toBe(403);
  // The gateway's own address is not the end user's.
  expect(await statusOf(here.secret)).toBe(403);
  expect(await statusOf(there.secret, "192.0.2.7", "127.0.0.2")).toBe(403);
  const answer = await gateway("/gateway/verify", there.secret);
  expect(problemOf(answer).slice(1)).toEqual(["ADDRESS_NOT_ALLOWED", "the client's address is not allowed"]);
});

test("guesses count only against an address that a trusted proxy states", async () => {
  const guess = (forwarded?: string) =>
    gateway("/gateway/verify", "a-guess", { headers: forwarded === undefined ? {} : { "x-forwarded-for": forwarded } });
  const statuses: number[] = [];
  for (const address of ["198.51.100.9", "198.51.100.9", "198.51.100.9", "198.51.100.8"]) statuses.push((await guess(address)).status);
  expect(statuses).toEqual([401, 401, 429, 401]);
  expect(Number((await guess("198.51.100.9")).headers["retry-after"])).toBeGreaterThan(0);
  for (const _ of [1, 2, 3]) expect((await guess()).status).toBe(401);
});

test("an end user can choose neither the use of the cache nor the tenant", async () => {
  const { secret } = await api.issue();
  await gateway("/gateway/verify", secret);
  const headers = { "cache-control": "no-store", pragma: "no-cache", "keywright-tenant": "other" };
  const answer = await gateway("/gateway/verify", secret, { headers });
  expect([answer.status, answer.headers["cache-status"], answer.headers["x-keywright-tenant"]]).toEqual([200, "keywright; hit", "default"]);
});

test("a route is for the tenant that it names, if the gateway may act for it", async () => {
  await api.call("AdminCreateTenant", { tenant_id: "acme", tenant: { display_name: "Acme" } });
  const { secret } = await api.issue();
  const { secret: ofAcme } = await issueFor("acme");
  const as = (token: string) => ({ headers: { "x-keywright-token": token } });
  const answer = await gateway("/gateway/verify/tenant=acme", ofAcme, as(roles.admin));
  expect([answer.status, answer.headers["x-keywright-tenant"]]).toEqual([200, "acme"]);
  expect((await gateway("/gateway/verify", ofAcme, as(roles.admin))).status).toBe(401);
  expect((await gateway("/gateway/verify/tenant=acme", secret, as(roles.admin))).status).toBe(401);
  expect((await gateway("/gateway/verify/tenant=acme", ofAcme, as(ofSome))).status).toBe(200);
  for (const [path, token] of [
    ["tenant=acme", ofDefault],
    ["tenant=third", ofSome],
    ["cost=1", ofSome],
  ] as const) {
    expect(problemOf(await gateway(`/gateway/verify/${path}`, ofAcme, as(token))).slice(0, 2), path).toEqual([403, "TENANT_DENIED"]);
  }
  expect(problemOf(await gateway("/gateway/verify/tenant=acne", ofAcme, as(roles.admin))).slice(0, 2)).toEqual([404, "TENANT_NOT_FOUND"]);
  await api.call("AdminSuspendTenant", { tenant_id: "acme" });
  expect((await gateway("/gateway/verify/tenant=acme", ofAcme, as(roles.admin))).status).toBe(401);
});

test("an end user cannot choose the tenant by a host", async () => {
  const host = "keys.hosted.example";
  await api.call("AdminCreateTenant", { tenant_id: "hosted", tenant: { display_name: "Hosted", hosts: [host] } });
  const { secret } = await issueFor("hosted");
  expect((await gateway("/gateway/verify/tenant=hosted", secret)).status).toBe(200);
  const choices: Record<string, string>[] = [{ host }, { "x-forwarded-host": host }, { host, "x-forwarded-host": host }];
  for (const headers of choices) {
    expect((await gateway("/gateway/verify", secret, { headers })).status).toBe(401);
    const { secret: ofDefault } = await api.issue();
    const answer = await gateway("/gateway/verify", ofDefault, { headers });
    expect([answer.status, answer.headers["x-keywright-tenant"]]).toEqual([200, "default"]);
  }
  const token = { "x-keywright-token": roles.verifier, authorization: `Bearer ${secret}` };
  expect((await askHttp2(api.server.port, "/gateway/verify", { headers: { ...token, ":authority": host } })).status).toBe(401);
});

async function issueFor(tenant: string): Promise<{ readonly secret: string }> {
  const { secret } = await api.call("AdminIssueApiKey", {}, { headers: { "keywright-tenant": tenant } });
  return { secret: String(secret) };
}

test("headers over the maximum size get 431 with a text", async () => {
  const answer = await gateway("/gateway/verify", "k".repeat(17_000));
  expect(answer.status).toBe(431);
  expect(JSON.parse(answer.body).message).toBe("the request headers are too large");
});

test("an identity token is for its audience, can be checked with the published keys, and does not verify here", async () => {
  const { keyId, secret } = await api.issue({ actor_id: "someone", scopes: ["read"] });
  const tokenOf = async (path: string) => String((await gateway(path, secret)).headers["x-keywright-identity"]);
  const token = await tokenOf("/gateway/verify/identity=jwt/audience=files");
  const keys = createRemoteJWKSet(new URL(`${api.server.url}/.well-known/jwks.json`));
  const { payload } = await jwtVerify(token, keys, { audience: "files", typ: "keywright-identity+jwt", maxTokenAge: 60 });
  expect(payload).toMatchObject({ sub: "someone", key_id: keyId, actor_id: "someone", tenant: "default", scope: "read" });
  expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60);
  // A busy key does not cost a signature per request, and another audience has its own token.
  expect(await tokenOf("/gateway/verify/identity=jwt/audience=files/scopes=read")).toBe(token);
  expect(await tokenOf("/gateway/verify/identity=jwt/audience=mail")).not.toBe(token);

  expect((await gateway("/gateway/verify", token)).status).toBe(401);
  expect((await api.verify({ credential: token })).is_valid).toBe(false);

  await api.call("AdminUpdateIssuedApiKey", { issued_api_key: { key_id: keyId, scopes: ["write"] }, update_mask: "scopes" });
  expect(decodeJwt(await tokenOf("/gateway/verify/identity=jwt/audience=files")).scope).toBe("write");
  await api.call("AdminRevokeApiKey", { key_id: keyId, reason: "REVOCATION_REASON_SUPERSEDED" });
  const revoked = await gateway("/gateway/verify/identity=jwt/audience=files", secret);
  expect([revoked.status, revoked.headers["x-keywright-identity"]]).toEqual([401, undefined]);
});

test("an identity token ends with the key, and a new one is made after half a minute", async () => {
  const keys = await readJwkSets([JSON.stringify({ keys: [await privateJwk()] })]);
  let nowMs = 1_000_000_500;
  const tokens = createIdentityTokens({ keys: () => keys, issuerOf: () => "https://keys.example", clock: () => nowMs });
  const verified = (expireTimeMs?: number) =>
    create(VerifyApiKeyResponseSchema, { keyId: "k", ...(expireTimeMs !== undefined && { expireTime: timestampFromMs(expireTimeMs) }) });
  const first = await tokens.tokenFor(verified(), "default", "files");
  expect(decodeJwt(first)).toEqual({
    iss: "https://keys.example",
    sub: "k",
    aud: "files",
    iat: 1_000_000,
    exp: 1_000_060,
    key_id: "k",
    tenant: "default",
  });
  nowMs += 29_999;
  expect(await tokens.tokenFor(verified(), "default", "files")).toBe(first);
  nowMs += 1;
  expect(decodeJwt(await tokens.tokenFor(verified(), "default", "files")).iat).toBe(1_000_030);
  // The clock was set back.
  nowMs -= 60_000;
  expect(decodeJwt(await tokens.tokenFor(verified(), "default", "files")).iat).toBe(999_970);
  // A token must not outlive the key, even if it was made before the key had an expiry.
  expect(decodeJwt(await tokens.tokenFor(verified(nowMs + 5400), "default", "files")).exp).toBe(999_975);
});

test("concurrent calls for the same identity token share one signature, and a failed one is not remembered", async () => {
  const keys = await readJwkSets([JSON.stringify({ keys: [await privateJwk()] })]);
  const unusable = { ...keys, signer: { ...keys.signer, privateKey: {} as typeof keys.signer.privateKey } };
  let current = unusable;
  const tokens = createIdentityTokens({ keys: () => current, issuerOf: () => "https://keys.example", clock: () => 1_000_000_000 });
  const make = (keyId: string) => tokens.tokenFor(create(VerifyApiKeyResponseSchema, { keyId }), "default", "files");
  const failed = await Promise.allSettled([make("one"), make("one")]);
  expect(failed.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  current = keys;
  const [first, second, other] = await Promise.all([make("one"), make("one"), make("two")]);
  // ES256 signs the same content differently each time.
  expect(second).toBe(first);
  expect(other).not.toBe(first);
  expect(await make("one")).toBe(first);
});

async function privateJwk() {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  return { ...(await exportJWK(privateKey)), kid: "one", alg: "ES256", use: "sig" };
}
