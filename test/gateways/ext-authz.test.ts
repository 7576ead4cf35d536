import { hash } from "node:crypto";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { AttributeContextSchema } from "../../gen/envoy/service/auth/v3/attribute_context_pb.ts";
import { CheckRequestSchema, type CheckResponse, CheckResponseSchema } from "../../gen/envoy/service/auth/v3/external_auth_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { openStore } from "../../src/adapters/open.ts";
import type { Parts } from "../../src/composition/given.ts";
import { Failure } from "../../src/error/failure.ts";
import { type Api, apiOf } from "../support/api.ts";
import { createRoleTokens, token } from "../support/role-tokens.ts";
import { startServerHere } from "../support/server-here.ts";
import { ask } from "./ask.ts";

const roles = createRoleTokens();
const ofAcme = token();
const config = `${roles.config.trimEnd()}\n  - { name: of-acme, sha256: ${hash("sha256", ofAcme)}, roles: [verifier], tenants: [acme, other] }`;
let api: Api;
let client: Client;
beforeAll(async () => {
  const env = { KEYWRIGHT_ADMIN_TOKEN: roles.admin, KEYWRIGHT_TRUSTED_PROXIES: "10.0.0.0/8", KEYWRIGHT_FAILED_VERIFY_LIMIT: "1/1h" };
  api = apiOf(await startServerHere({ config, env }), "grpc");
  client = new Client(`127.0.0.1:${api.server.port}`, credentials.createInsecure());
});
afterAll(async () => {
  client?.close();
  await api?.[Symbol.asyncDispose]();
});

interface Asked {
  readonly headers?: Readonly<Record<string, string>>;
  readonly rawHeaders?: readonly { readonly key: string; readonly rawValue: Uint8Array }[];
  readonly demands?: Readonly<Record<string, string>>;
  readonly address?: string;
  readonly token?: string;
  readonly port?: number;
}

/** Sends a check as Envoy does. */
async function check({ port, ...asked }: Asked): Promise<CheckResponse> {
  if (port === undefined) return checkWith(client, asked);
  using other = closing(new Client(`127.0.0.1:${port}`, credentials.createInsecure()));
  return await checkWith(other.client, asked);
}

function checkWith(
  client: Client,
  { headers = {}, rawHeaders, demands = {}, address = "192.0.2.7", token = roles.verifier }: Asked,
): Promise<CheckResponse> {
  const raw = rawHeaders && { headerMap: { headers: [...rawHeaders] } };
  const attributes: MessageInitShape<typeof AttributeContextSchema> = {
    source: { address: { address: { case: "socketAddress", value: { address, portSpecifier: { case: "portValue", value: 1 } } } } },
    request: { http: { method: "GET", path: "/orders?key=x", host: "api.example", headers: { ...headers }, ...raw } },
    contextExtensions: { "other-service": "x", ...demands },
  };
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      "/envoy.service.auth.v3.Authorization/Check",
      (message: Uint8Array) => Buffer.from(message),
      (bytes: Buffer) => fromBinary(CheckResponseSchema, bytes),
      toBinary(CheckRequestSchema, create(CheckRequestSchema, { attributes })),
      metadata,
      (error: ServiceError | null, answer?: CheckResponse) => (answer === undefined ? reject(error) : resolve(answer)),
    );
  });
}

function closing(client: Client) {
  return { client, [Symbol.dispose]: () => client.close() };
}

const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` });
const headersIn = (options: readonly { readonly header?: { readonly key: string; readonly value: string } | undefined }[]) =>
  Object.fromEntries(options.map(({ header }) => [header?.key, header?.value]));

const deniedOf = ({ status, httpResponse }: CheckResponse) => {
  if (httpResponse.case !== "deniedResponse") throw new Error("not denied");
  const { details } = JSON.parse(httpResponse.value.body) as { details: readonly { reason?: string }[] };
  return {
    grpc: status?.code,
    http: httpResponse.value.status?.code,
    reason: details[0]?.reason,
    headers: headersIn(httpResponse.value.headers),
  };
};

test("allowed: sets identity headers, removes the key's header, sends limits to the end user, and metadata to other filters", async () => {
  const { keyId, secret } = await api.issue({ actor_id: "someone", scopes: ["read"], rate_limit_policy: { quota: "10", window: "60s" } });
  const demands = { "keywright-scopes": "read", "keywright-cost": "3" };
  const { status, httpResponse, dynamicMetadata } = await check({ headers: bearer(secret), demands });
  if (httpResponse.case !== "okResponse") throw new Error("not allowed");
  expect(status?.code).toBe(0);
  expect(headersIn(httpResponse.value.headers)).toEqual({
    "x-keywright-actor": "someone",
    "x-keywright-key-id": keyId,
    "x-keywright-scopes": "read",
    "x-keywright-tenant": "default",
    "x-keywright-metadata": "",
    "x-keywright-identity": "",
  });
  expect(httpResponse.value.headersToRemove).toEqual(["authorization"]);
  expect(headersIn(httpResponse.value.responseHeadersToAdd)).toEqual({
    ratelimit: expect.stringMatching(/^"key";r=7;t=\d+$/),
    "ratelimit-policy": '"key";q=10;w=60',
  });
  expect(dynamicMetadata).toEqual({ actor: "someone", key_id: keyId, scopes: ["read"], tenant: "default", remaining: 7 });
  const { httpResponse: byApiKey } = await check({ headers: { "x-api-key": secret } });
  expect(byApiKey.case === "okResponse" && byApiKey.value.headersToRemove).toEqual(["x-api-key"]);
});

test("denied: the same status, headers and body as over JSON/HTTP", async () => {
  const { secret } = await api.issue({ rate_limit_policy: { quota: "1", window: "3600s" } });
  await check({ headers: bearer(secret) });
  const cases: [Asked, object][] = [
    [{}, { grpc: 16, http: 401, reason: "CREDENTIAL_MISSING", headers: { "www-authenticate": 'Bearer realm="keywright"' } }],
    [{ headers: { authorization: `Bearer ${secret},Bearer ${secret}` } }, { grpc: 16, http: 401, reason: "CREDENTIAL_INVALID" }],
    [
      { headers: bearer(secret) },
      {
        grpc: 8,
        http: 429,
        reason: "RATE_LIMITED",
        headers: { "retry-after": expect.any(String), "ratelimit-policy": '"key";q=1;w=3600' },
      },
    ],
    [
      { headers: bearer(secret), demands: { "keywright-429": "403" } },
      { grpc: 8, http: 403, reason: "RATE_LIMITED" },
    ],
    [
      { headers: bearer(secret), demands: { "keywright-scopes": "pay" } },
      { grpc: 7, http: 403, reason: "SCOPE_MISSING" },
    ],
    [
      { headers: bearer(secret), demands: { "keywright-scope": "pay" } },
      { grpc: 3, http: 400, reason: "INVALID_REQUEST" },
    ],
    ...["Keywright-scopes", "KEYWRIGHT-SCOPES", "keywright_scopes", "keywright.scopes", "Keywright"].map((name): [Asked, object] => [
      { headers: bearer(secret), demands: { [name]: "pay" } },
      { grpc: 3, http: 400, reason: "INVALID_REQUEST" },
    ]),
    [
      { headers: bearer(secret), demands: { "keywrights-scopes": "pay" } },
      { grpc: 8, http: 429, reason: "RATE_LIMITED" },
    ],
    [
      { headers: bearer(secret), demands: { "keywright-tenant": "nobody" }, token: ofAcme },
      { grpc: 7, http: 403, reason: "TENANT_DENIED" },
    ],
  ];
  for (const [asked, denied] of cases) {
    const found = deniedOf(await check(asked));
    expect(found, JSON.stringify(denied)).toMatchObject(denied);
    expect(found.headers["content-type"]).toBe("application/json");
  }
});

test("denied: a gRPC call of an end user gets the status of gRPC, because Envoy would make UNAVAILABLE of 429", async () => {
  const { secret } = await api.issue({ rate_limit_policy: { quota: "1", window: "3600s" } });
  await check({ headers: bearer(secret) });
  const denied = async (contentType: string, demands = {}) => {
    const { httpResponse } = await check({ headers: { ...bearer(secret), "content-type": contentType }, demands });
    if (httpResponse.case !== "deniedResponse") throw new Error("not denied");
    const { headers, body } = httpResponse.value;
    const { "grpc-status": code, "grpc-status-details-bin": details = "", "content-type": type } = headersIn(headers);
    return { code, body, type, details: fromBinary(StatusSchema, Buffer.from(details, "base64")) };
  };
  for (const type of ["application/grpc", "application/grpc+proto"]) {
    expect(await denied(type)).toMatchObject({
      code: "8",
      body: "the key's rate limit is exhausted",
      type: undefined,
      details: { code: 8 },
    });
  }
  expect(await denied("application/grpc", { "keywright-scope": "x" })).toMatchObject({ code: "3" });
  // Envoy itself would answer these over HTTP.
  for (const type of ["application/grpc;charset=utf-8", "Application/gRPC", "application/grpc-web", "application/json", ""]) {
    expect((await denied(type)).code, type).toBeUndefined();
  }
});

test("if the store does not answer, end users get 503 with Retry-After, over gRPC and HTTP", async () => {
  let isLost = false;
  const parts: Partial<Parts> = {
    async openStore(...given) {
      const { store, shareable } = await openStore(...given);
      return {
        store: { ...store, get: (...key) => (isLost ? Promise.reject(new Failure("STORE_UNAVAILABLE")) : store.get(...key)) },
        shareable,
      };
    },
  };
  await using other = apiOf(await startServerHere({ config, env: { KEYWRIGHT_ADMIN_TOKEN: roles.admin } }, parts), "grpc");
  const { secret } = await other.issue();
  isLost = true;
  const asked = await check({ headers: bearer(secret), port: other.server.port });
  expect(deniedOf(asked)).toMatchObject({ http: 503, reason: "STORE_UNAVAILABLE", headers: { "retry-after": "1" } });
  const headers = { ...bearer(secret), "x-keywright-token": roles.verifier };
  const answer = await ask(other.server.port, "/gateway/verify", { headers });
  expect([answer.status, answer.headers["retry-after"]]).toEqual([503, "1"]);
});

test("the tenant of a route applies, also for a gateway that acts for several and names none in its metadata", async () => {
  await api.call("AdminCreateTenant", { tenant_id: "acme", tenant: {} });
  const { secret } = await api.call("AdminIssueApiKey", {}, { headers: { "keywright-tenant": "acme" } });
  const { httpResponse } = await check({ headers: bearer(String(secret)), demands: { "keywright-tenant": "acme" }, token: ofAcme });
  expect(httpResponse.case === "okResponse" && headersIn(httpResponse.value.headers)["x-keywright-tenant"]).toBe("acme");
});

test("raw headers count in any case, and two lines in different cases are two credentials", async () => {
  const { secret } = await api.issue();
  const outcome = async (...names: string[]) =>
    (await check({ rawHeaders: names.map((key) => ({ key, rawValue: Buffer.from(`Bearer ${secret}`) })) })).httpResponse.case;
  expect(await outcome("Authorization")).toBe("okResponse");
  expect(await outcome("authorization", "AUTHORIZATION")).toBe("deniedResponse");
});

test("a gateway that may not ask gets an error and no decision", async () => {
  await expect(check({ token: "unknown" })).rejects.toMatchObject({ code: 16 });
  await expect(check({ token: roles.auditor })).rejects.toMatchObject({ code: 7 });
});

test("the end user's address is that of Envoy's peer, or the one behind it if the peer is a trusted proxy", async () => {
  const { secret } = await api.issue({ ip_restriction: { allowed_cidrs: ["192.0.2.0/24"] } });
  const outcome = async (address: string, forwarded?: string) =>
    (await check({ address, headers: { ...bearer(secret), ...(forwarded && { "x-forwarded-for": forwarded }) } })).httpResponse.case;
  expect(await outcome("192.0.2.7")).toBe("okResponse");
  expect(await outcome("198.51.100.1", "192.0.2.7")).toBe("deniedResponse");
  expect(await outcome("10.1.2.3", "198.51.100.1, 192.0.2.7, 10.1.2.3")).toBe("okResponse");
  expect(await outcome("10.1.2.3")).toBe("deniedResponse");
  expect(await outcome("/run/envoy.sock")).toBe("deniedResponse");
  const guess = (address: string) => check({ address, headers: bearer("a-guess") });
  expect(deniedOf(await guess("198.51.100.7")).http).toBe(401);
  expect(deniedOf(await guess("198.51.100.7")).http).toBe(429);
  // If the proxy states no end user, nobody locks out the others behind it.
  for (const _ of [1, 2]) expect(deniedOf(await guess("10.1.2.3")).http).toBe(401);
});
