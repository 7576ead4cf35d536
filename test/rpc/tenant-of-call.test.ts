import { hash } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Client, ClientKind, Refusal } from "../support/clients/client.ts";
import { restHttp2 } from "../support/clients/rest.ts";
import { clientKinds, refused, succeed } from "../support/clients.ts";
import { token } from "../support/role-tokens.ts";
import { startServerHere } from "../support/server-here.ts";
import type { RunningServer } from "../support/server-process.ts";

/** Callers, by the tenants that they may act for. */
const callers = { all: token(), usual: token(), one: token(), two: token() };
type Caller = keyof typeof callers;

let server: RunningServer;
let suspendedKey = "";
beforeAll(async () => {
  const entry = (name: Exclude<Caller, "all">, tenants: string) =>
    `  - { name: ${name}, sha256: ${hash("sha256", callers[name])}, roles: [admin]${tenants} }`;
  const entries = [entry("usual", ""), entry("one", ", tenants: [acme]"), entry("two", ", tenants: [acme, globex]")];
  server = await startServerHere({
    config: ["admin_tokens:", ...entries, ""].join("\n"),
    env: { KEYWRIGHT_ADMIN_TOKEN: callers.all, KEYWRIGHT_TRUSTED_PROXIES: "127.0.0.1/32", KEYWRIGHT_SELF_REVOKE_LIMIT: "none" },
  });
  await using client = restHttp2.open(server.url, callers.all);
  for (const tenant_id of ["acme", "globex", "initech", "closed", "a-b"]) {
    await succeed(client, "AdminCreateTenant", {
      tenant_id,
      tenant: { key_prefix: tenant_id.replace("-", "_"), hosts: [`${tenant_id}.example`] },
    });
  }
  const { secret } = await succeed(client, "AdminIssueApiKey", {}, { headers: { "keywright-tenant": "closed" } });
  suspendedKey = String(secret);
  await succeed(client, "AdminSuspendTenant", { tenant_id: "closed" });
});
afterAll(() => server?.[Symbol.asyncDispose]());

/** The caller, the tenants in header and host, and the prefix of the issued key or the reason for a refusal. */
const calls: readonly (readonly [Caller, tenant: string | null, host: string | null, outcome: string])[] = [
  ["usual", null, null, "kw"],
  ["usual", "default", "elsewhere.example", "kw"],
  ["usual", "acme", null, "TENANT_DENIED"],
  ["usual", null, "acme.example", "TENANT_DENIED"],
  ["one", null, null, "acme"],
  ["one", "acme", "acme.example", "acme"],
  ["one", null, "elsewhere.example", "acme"],
  ["one", "default", null, "TENANT_DENIED"],
  ["one", "globex", null, "TENANT_DENIED"],
  ["one", null, "globex.example", "TENANT_DENIED"],
  ["two", null, null, "TENANT_DENIED"],
  ["two", "acme", null, "acme"],
  ["two", null, "globex.example", "globex"],
  ["two", "globex", "globex.example", "globex"],
  ["two", "acme", "globex.example", "INVALID_REQUEST"],
  ["two", "acme", "initech.example", "TENANT_DENIED"],
  ["all", null, null, "kw"],
  ["all", null, "acme.example", "acme"],
  ["all", "initech", null, "initech"],
  ["all", "initech", "acme.example", "INVALID_REQUEST"],
  ["all", "nowhere", null, "TENANT_NOT_FOUND"],
  ["all", "Not an id", null, "TENANT_NOT_FOUND"],
  ["all", "a-b", null, "a_b"],
  // The name of a-b's record in the store.
  ["all", "aZb", null, "TENANT_NOT_FOUND"],
  ["all", "closed", null, "TENANT_SUSPENDED"],
  ["all", null, "closed.example", "TENANT_SUSPENDED"],
];
const headersOf = (tenant: string | null, host: string | null) => ({
  ...(tenant !== null && { "keywright-tenant": tenant }),
  ...(host !== null && { "x-forwarded-host": host }),
});

/** One way of each protocol. The ways of one protocol share code that the matrix tests. */
const ways = ["gRPC, grpc-js", "gRPC-Web binary, HTTP/1.1", "Connect JSON, HTTP/2", "JSON/HTTP, HTTP/1.1"];
const oneOfEach = clientKinds.filter(({ name }) => ways.includes(name));

/** Everything by which a caller can distinguish refusals. */
const shownBy = ({ code, reason, message, violations, httpStatus, headers, details }: Refusal) => ({
  ...{ code, reason, message, violations, httpStatus },
  challenge: headers.get("www-authenticate"),
  details: details.map(({ request_id: _, ...detail }) => detail),
});

describe.each(oneOfEach)("over $name", (kind: ClientKind) => {
  const opened = async <T>(use: (client: Client) => Promise<T>): Promise<T> => {
    await using client = kind.open(server.url, callers.all);
    return await use(client);
  };

  test("caller, header and host determine the tenant of a call, and disagreement is refused", () =>
    opened(async (client) => {
      for (const [caller, tenant, host, outcome] of calls) {
        const reply = await client.call("AdminIssueApiKey", {}, { token: callers[caller], headers: headersOf(tenant, host) });
        const found = reply.ok ? String(reply.response.secret).split("_v1_")[0] : reply.reason;
        expect(found, `${caller}, ${tenant}, ${host}`).toBe(outcome);
      }
    }));

  test("active, suspended and unknown tenants look the same to a caller that may not act for them", () =>
    opened(async (client) => {
      for (const caller of ["usual", "one", "two"] as const) {
        for (const method of ["AdminIssueApiKey", "AdminListIssuedApiKeys", "AdminVerifyApiKey"]) {
          const refusal = async (tenant: string) =>
            shownBy(await refused(client, method, {}, { token: callers[caller], headers: headersOf(tenant, null) }));
          const unknown = await refusal("nowhere");
          expect(unknown).toMatchObject({ code: "PERMISSION_DENIED", reason: "TENANT_DENIED" });
          expect(unknown.challenge).toContain("insufficient_scope");
          for (const tenant of ["initech", "closed", "Not an id"]) expect(await refusal(tenant), tenant).toEqual(unknown);
        }
        const about = async (tenant_id: string) =>
          shownBy(await refused(client, "AdminGetTenant", { tenant_id }, { token: callers[caller] }));
        for (const tenant_id of ["acme", "closed"]) expect(await about(tenant_id), tenant_id).toEqual(await about("nowhere"));
      }
    }));

  test("a caller without a key of a tenant learns nothing about it from the methods for holders of keys", () =>
    opened(async (client) => {
      const call = async (method: string, request: JsonObject, host: string | null) =>
        shownBy(await refused(client, method, request, { token: null, headers: headersOf(null, host) }));
      const made = (prefix: string) => `${prefix}_v1_01ARZ3NDEKTSV4RRFFQ69G5FAV_${"a".repeat(49)}`;
      const revoke = { reason: "REVOCATION_REASON_KEY_COMPROMISE" };
      for (const [method, request] of [
        ["RevokeApiKey", revoke],
        ["SelfInspect", {}],
      ] as const) {
        const unknown = await call(method, { ...request, credential: made("unheard") }, null);
        expect(unknown).toMatchObject({ code: "NOT_FOUND", reason: "KEY_NOT_FOUND" });
        for (const [prefix, host] of [
          ["acme", null],
          ["closed", null],
          ["unheard", "acme.example"],
          ["unheard", "closed.example"],
        ] as const) {
          expect(await call(method, { ...request, credential: made(prefix) }, host), `${method} ${prefix} ${host}`).toEqual(unknown);
        }
        expect(await call(method, { ...request, credential: suspendedKey }, null)).toMatchObject({ reason: "TENANT_SUSPENDED" });
      }
    }));
});

test("every protocol is included", () => {
  expect(oneOfEach).toHaveLength(4);
});

test("the host of a target in absolute form counts instead of the Host line", async () => {
  const headers = { host: "globex.example", authorization: `Bearer ${callers.one}` };
  const statusOf = async (host: string) => {
    const asked = request({ port: server.port, path: `http://${host}/v2alpha1/admin/issuedApiKeys`, headers }).end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    response.resume();
    return response.statusCode;
  };
  expect(await statusOf("ACME.example:80")).toBe(200);
  expect(await statusOf("initech.example")).toBe(403);
});

test("the holder of a key with its tenant's prefix can revoke it with any host", async () => {
  await using client = restHttp2.open(server.url, callers.two);
  for (const host of [null, "globex.example", "elsewhere.example"]) {
    const acme = { headers: headersOf("acme", null) };
    const credential = String((await succeed(client, "AdminIssueApiKey", {}, acme)).secret);
    const revocation = { credential, reason: "REVOCATION_REASON_KEY_COMPROMISE" };
    await succeed(client, "RevokeApiKey", revocation, { token: null, headers: headersOf(null, host) });
    expect(await succeed(client, "AdminVerifyApiKey", { credential }, acme)).toMatchObject({ error_code: "VERIFICATION_ERROR_REVOKED" });
  }
});

test("tokens of a suspended tenant are revoked, and so are all items of a batch", async () => {
  await using client = restHttp2.open(server.url, callers.all);
  const tenant = { headers: headersOf("paused", null) };
  await succeed(client, "AdminCreateTenant", { tenant_id: "paused" });
  const credential = String((await succeed(client, "AdminIssueApiKey", {}, tenant)).secret);
  const derived = ["JWT", "MACAROON"].map(async (algorithm) => {
    const { token } = await succeed(client, "AdminDeriveToken", { credential, algorithm: `TOKEN_ALGORITHM_${algorithm}` }, tenant);
    return String((token as JsonObject).token);
  });
  const requests = [credential, ...(await Promise.all(derived)), "a guess"].map((each) => ({ credential: each }));
  const codes = async () => {
    const { results } = await succeed(client, "AdminBatchVerifyApiKeys", { requests }, tenant);
    return (results as JsonObject[]).map(({ error_code }) => error_code ?? "valid");
  };
  const active = ["valid", "valid", "valid", "VERIFICATION_ERROR_NOT_FOUND"];
  expect(await codes()).toEqual(active);
  await succeed(client, "AdminSuspendTenant", { tenant_id: "paused" });
  expect(await codes()).toEqual(new Array(4).fill("VERIFICATION_ERROR_REVOKED"));
  await succeed(client, "AdminResumeTenant", { tenant_id: "paused" });
  expect(await codes()).toEqual(active);
});
