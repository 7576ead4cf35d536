import * as oauth from "oauth4webapi";
import { afterAll, beforeAll, expect, test } from "vitest";
import { narrowMacaroon } from "../../src/core/token/macaroon.ts";
import { asObject } from "../support/clients/client.ts";
import { connectJson } from "../support/clients/connect-json.ts";
import { restHttp1 } from "../support/clients/rest.ts";
import { succeed } from "../support/clients.ts";
import { createRoleTokens } from "../support/role-tokens.ts";
import { startServerHere } from "../support/server-here.ts";
import type { RunningServer } from "../support/server-process.ts";

const roles = createRoleTokens();
let server: RunningServer;

beforeAll(async () => {
  server = await startServerHere({ config: roles.config, env: { KEYWRIGHT_ADMIN_TOKEN: roles.admin } });
});
afterAll(() => server?.[Symbol.asyncDispose]());

/** Introspects with an OAuth client library. */
async function introspect(credential: string, parameters: Record<string, string> = {}): Promise<oauth.IntrospectionResponse> {
  const as = { issuer: server.url, introspection_endpoint: `${server.url}/v2alpha1/oauth2/introspect` };
  const client = { client_id: "the-verifier" };
  const response = await oauth.introspectionRequest(as, client, oauth.ClientSecretBasic(roles.verifier), credential, {
    [oauth.allowInsecureRequests]: true,
    additionalParameters: parameters,
  });
  return oauth.processIntrospectionResponse(as, client, response);
}

function seconds(time: unknown): number {
  return Math.floor(Date.parse(String(time)) / 1000);
}

function post(body: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(`${server.url}/v2alpha1/oauth2/introspect`, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", authorization: `Bearer ${roles.verifier}`, ...headers },
    body,
  });
}

test("a client library learns what a key and its JWT may do, and nothing about others", async () => {
  await using client = connectJson.open(server.url, roles.admin);
  const request = { actor_id: "someone", scopes: ["read", "write"], ttl: "3600s", rate_limit_policy: { quota: "1", window: "60s" } };
  const { issued_api_key, secret } = await succeed(client, "AdminIssueApiKey", request);
  const { key_id, expire_time, create_time } = asObject(issued_api_key);
  const exp = Math.floor(Date.parse(String(expire_time)) / 1000);
  const expected = {
    active: true,
    scope: "read write",
    sub: "someone",
    client_id: key_id,
    jti: key_id,
    iat: seconds(create_time),
    exp,
    token_type: "Bearer",
  };
  // Twice, although the rate limit allows one verification.
  for (const _ of [1, 2]) expect(await introspect(String(secret))).toMatchObject(expected);

  const { token } = await succeed(client, "AdminDeriveToken", { credential: String(secret), scopes: ["read"] });
  const { token: jwt, claims } = asObject(token);
  const { jti, iat, iss } = asObject(claims);
  expect(await introspect(String(jwt))).toMatchObject({ active: true, scope: "read", client_id: key_id, jti, iat, iss });

  await succeed(client, "AdminRevokeApiKey", { key_id: String(key_id), reason: "REVOCATION_REASON_KEY_COMPROMISE" });
  for (const credential of [String(secret), String(jwt), "unknown"]) expect(await introspect(credential)).toEqual({ active: false });
  expect(await (await post("token=unknown")).text()).toBe('{"active":false}');
});

test("an imported key in the shape of a JWT has no claims", async () => {
  await using client = connectJson.open(server.url, roles.admin);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const raw_key = `${part({ alg: "none" })}.${part({ jti: "made up", aud: "anyone", iat: 1 })}.AAAA`;
  const { key_id } = await succeed(client, "AdminImportApiKey", { raw_key, name: "odd", actor_id: "someone" });
  const introspection = await introspect(raw_key);
  expect(introspection).toMatchObject({ active: true, jti: key_id });
  expect(introspection).not.toHaveProperty("aud");
  expect(introspection).not.toHaveProperty("iat");
});

test("introspection of a macaroon returns its id, its time and its audience", async () => {
  await using client = connectJson.open(server.url, roles.admin);
  const { secret } = await succeed(client, "AdminIssueApiKey", { scopes: ["read"] });
  const { token } = await succeed(client, "AdminDeriveToken", { credential: String(secret), algorithm: "TOKEN_ALGORITHM_MACAROON" });
  const { token: macaroon, claims } = asObject(token);
  const { jti, iat } = asObject(claims);
  const introspection = await introspect(String(macaroon));
  expect(introspection).toMatchObject({ active: true, jti, iat });
  expect(introspection).not.toHaveProperty("aud");
  const bound = narrowMacaroon(String(macaroon), ["audience = files"]) as string;
  expect(await introspect(bound)).toEqual({ active: false });
  expect(await introspect(bound, { audience: "mail" })).toEqual({ active: false });
  expect(await introspect(bound, { audience: "files" })).toMatchObject({ active: true, jti, aud: "files" });
});

test("a key that is bound to addresses is active for an allowed client_ip", async () => {
  await using client = connectJson.open(server.url, roles.admin);
  const request = { ip_restriction: { allowed_cidrs: ["192.0.2.0/24"] } };
  const secret = String((await succeed(client, "AdminIssueApiKey", request)).secret);
  expect(await introspect(secret)).toEqual({ active: false });
  expect(await introspect(secret, { client_ip: "192.0.2.7" })).toMatchObject({ active: true });
  expect(await introspect(secret, { client_ip: "198.51.100.7" })).toEqual({ active: false });
  expect((await post(`token=${secret}&client_ip=here`)).status).toBe(400);
});

const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

test.each([
  ["another name", () => basic("the-auditor", roles.verifier)],
  ["another token", () => basic("the-verifier", "x".repeat(40))],
  ["no token", () => basic("the-verifier", "")],
  ["an invalid token", () => basic("the-verifier", `${roles.verifier}\r\nX: y`)],
  ["a broken encoding", () => basic("the-verifier", "%E0%")],
  ["no colon", () => `Basic ${Buffer.from("the-verifier").toString("base64")}`],
  ["nothing", () => "Basic"],
])("HTTP Basic with %s is refused with a challenge for Basic", async (_, authorization) => {
  const answer = await post("token=a", { authorization: authorization() });
  expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([401, 'Basic realm="keywright", charset="UTF-8"']);
});

test("HTTP Basic with another name is in the audit trail like other refusals", async () => {
  await using client = restHttp1.open(server.url, roles.admin);
  const filter = "caller=the-verifier";
  const refusals = async () => (await succeed(client, "AdminListAuditEvents", { filter })).audit_events ?? [];
  await post("token=a", { authorization: basic("the-auditor", roles.verifier) });
  await expect
    .poll(refusals, { timeout: 20_000 })
    .toContainEqual(expect.objectContaining({ method: "AdminVerifyApiKey", error_reason: "UNAUTHENTICATED" }));
});

test("HTTP Basic accepts encoded and plain credentials, requires the role, and is accepted nowhere else", async () => {
  for (const password of [roles.verifier, encodeURIComponent(roles.verifier).replaceAll("_", "%5F")]) {
    const answer = await post("token=a", { authorization: basic("the-verifier", password) });
    expect([answer.status, answer.headers.get("cache-control")]).toEqual([200, "no-store"]);
  }
  expect((await post("token=a", { authorization: basic("the-auditor", roles.auditor) })).status).toBe(403);
  const elsewhere = await fetch(`${server.url}/v2alpha1/admin/auditEvents`, { headers: { authorization: basic("admin", roles.admin) } });
  expect(elsewhere.status).toBe(401);
});

test("only callers who may verify may introspect", async () => {
  const anonymous = await post("token=a", { authorization: "" });
  expect([anonymous.status, anonymous.headers.get("www-authenticate")]).toEqual([401, 'Bearer realm="keywright"']);
  expect((await post("token=a", { authorization: `Bearer ${roles.auditor}` })).status).toBe(403);
});

test.each([
  ["a request without a token", "", {}, 400],
  ["two tokens", "token=a&token=b", {}, 400],
  ["JSON", '{"token":"a"}', { "content-type": "application/json" }, 415],
  ["a compressed body", "token=a", { "content-encoding": "gzip" }, 415],
  ["a body beyond the limit of verify", `token=${"a".repeat(1_048_577)}`, {}, 413],
])("%s is refused", async (_, body, headers, status) => {
  expect((await post(body, headers)).status).toBe(status);
});

test("a 415 says what is accepted", async () => {
  const form = "application/x-www-form-urlencoded";
  expect((await post("{}", { "content-type": "application/json" })).headers.get("accept")).toBe(form);
  expect((await post("token=a", { "content-encoding": "gzip" })).headers.get("accept-encoding")).toBe("identity");
});

test("only POST is allowed", async () => {
  const response = await fetch(`${server.url}/v2alpha1/oauth2/introspect?token=a`);
  expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
});
