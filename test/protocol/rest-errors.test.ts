import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { at, type HttpOptions, httpSender, type Send } from "../support/http.ts";
import { createRoleTokens, token } from "../support/role-tokens.ts";
import { startServerHere } from "../support/server-here.ts";
import type { RunningServer } from "../support/server-process.ts";

const keysPath = "/v2alpha1/admin/issuedApiKeys";
const verifyPath = "/v2alpha1/admin/apiKeys:verify";
const absentPath = `${keysPath}/01ARZ3NDEKTSV4RRFFQ69G5FAV`;
const roles = createRoleTokens();
let server: RunningServer;
let send: Send;

beforeAll(async () => {
  server = await startServerHere({ config: roles.config, env: { KEYWRIGHT_ADMIN_TOKEN: roles.admin } });
  send = httpSender(server.url, server.adminToken);
});
afterAll(() => server?.[Symbol.asyncDispose]());

test("the body is google.rpc.Status, and again the same in the form of AIP-193", async () => {
  const { status, headers, json } = await send("POST", keysPath, { body: { scopes: ["a b"] }, headers: { "x-request-id": "me" } });
  expect([status, headers.get("content-type")]).toEqual([400, "application/json"]);
  const details = [
    { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "INVALID_REQUEST", domain: "keywright" },
    { "@type": "type.googleapis.com/google.rpc.RequestInfo", request_id: "me" },
    {
      "@type": "type.googleapis.com/google.rpc.BadRequest",
      field_violations: [{ field: "scopes[0]", description: expect.any(String) }],
    },
  ];
  expect(json).toEqual({
    code: 3,
    message: expect.stringContaining("scopes[0]"),
    details: expect.arrayContaining(details),
    error: { code: 400, message: json.message, status: "INVALID_ARGUMENT", details: json.details },
  });
});

interface ErrorCase {
  readonly title: string;
  readonly httpMethod: string;
  readonly path: string;
  readonly options?: HttpOptions;
  readonly status: number;
  readonly code: string;
  readonly reason: string;
}

const noRoute = { status: 404, code: "NOT_FOUND", reason: "ROUTE_NOT_FOUND" };
const badMethod = { status: 405, code: "UNIMPLEMENTED", reason: "METHOD_NOT_ALLOWED" };
const malformed = { status: 400, code: "INVALID_ARGUMENT", reason: "MALFORMED_BODY" };
const badType = { status: 415, code: "INVALID_ARGUMENT", reason: "UNSUPPORTED_MEDIA_TYPE" };
const invalid = { status: 400, code: "INVALID_ARGUMENT", reason: "INVALID_REQUEST" };
const unauthenticated = { status: 401, code: "UNAUTHENTICATED", reason: "UNAUTHENTICATED" };
const post = { httpMethod: "POST", path: keysPath };
const typed = (contentType: string): HttpOptions => ({ body: '{"name":"x"}', headers: { "content-type": contentType } });

const errorCases: readonly ErrorCase[] = [
  { title: "an unknown path", httpMethod: "GET", path: "/v2alpha1/nothing", ...noRoute },
  { title: "another path at the top", httpMethod: "GET", path: "/nothing", ...noRoute },
  { title: "an empty path variable", httpMethod: "GET", path: `${keysPath}/`, ...noRoute },
  { title: "a doubled slash", httpMethod: "GET", path: "/v2alpha1/admin//issuedApiKeys", ...noRoute },
  { title: "an unknown verb", httpMethod: "POST", path: `${absentPath}:explode`, options: { body: {} }, ...noRoute },
  { title: "another HTTP method", httpMethod: "DELETE", path: keysPath, ...badMethod },
  { title: "GET of an action", httpMethod: "GET", path: verifyPath, ...badMethod },
  { title: "half a JSON text", ...post, options: { body: '{"name":' }, ...malformed },
  { title: "a list for an object", ...post, options: { body: [] }, ...invalid },
  { title: "plain text", ...post, options: typed("text/plain"), ...badType },
  { title: "a form", ...post, options: typed("application/x-www-form-urlencoded"), ...badType },
  { title: "protobuf", ...post, options: typed("application/x-protobuf"), ...badType },
  { title: "a wrong type", ...post, options: { body: { name: 5 } }, ...invalid },
  { title: "an unknown query parameter", httpMethod: "GET", path: `${keysPath}?page_sise=5`, ...invalid },
  { title: "a query parameter that is not a number", httpMethod: "GET", path: `${keysPath}?page_size=many`, ...invalid },
  { title: "a query in addition to a whole body", httpMethod: "POST", path: `${keysPath}?name=x`, options: { body: {} }, ...invalid },
  { title: "no token", httpMethod: "GET", path: keysPath, options: { token: null }, ...unauthenticated },
  { title: "an unknown token", httpMethod: "GET", path: keysPath, options: { token: token() }, ...unauthenticated },
  { title: "Basic", httpMethod: "GET", path: keysPath, options: { headers: { authorization: "Basic YTpi" } }, ...unauthenticated },
  {
    title: "a role without the permission",
    ...post,
    options: { body: {}, token: roles.auditor },
    status: 403,
    code: "PERMISSION_DENIED",
    reason: "PERMISSION_DENIED",
  },
  { title: "an unknown key", httpMethod: "GET", path: absentPath, status: 404, code: "NOT_FOUND", reason: "KEY_NOT_FOUND" },
  { title: "a slash in a key id", httpMethod: "GET", path: `${keysPath}/a%2Fb`, status: 404, code: "NOT_FOUND", reason: "KEY_NOT_FOUND" },
];

describe("every error has status, code and reason", () => {
  test.each(errorCases)("$title: $status", async ({ httpMethod, path, options, status, code, reason }) => {
    const answer = await send(httpMethod, path, options);
    expect([answer.status, at(answer.json, "error", "status"), reasonOf(answer.json)], answer.text).toEqual([status, code, reason]);
    expect(at(answer.json, "error", "code")).toBe(status);
    expect(answer.json.message).not.toBe("");
    expect(at(answer.json, "error", "details")).toEqual(answer.json.details);
  });
});

test("a body over 1 MiB returns 413, and one of nearly 1 MiB is read", async () => {
  const body = (nameLength: number) => ({ name: "x".repeat(nameLength) });
  const tooLarge = await send("POST", keysPath, { body: body(1024 * 1024) });
  expect([tooLarge.status, reasonOf(tooLarge.json)]).toEqual([413, "BODY_TOO_LARGE"]);
  const read = await send("POST", keysPath, { body: body(1024 * 1024 - 100) });
  expect([read.status, reasonOf(read.json)]).toEqual([400, "INVALID_REQUEST"]);
});

test("JSON with a charset is JSON", async () => {
  expect((await send("POST", keysPath, typed("application/json; charset=UTF-8"))).status).toBe(201);
});

describe("405 lists the allowed methods", () => {
  test.each([
    ["DELETE", keysPath, ["GET", "HEAD", "OPTIONS", "POST"]],
    ["PUT", absentPath, ["GET", "HEAD", "OPTIONS", "PATCH"]],
    ["GET", verifyPath, ["OPTIONS", "POST"]],
  ])("%s %s", async (httpMethod, path, allowed) => {
    const { headers } = await send(httpMethod, path);
    expect(headers.get("allow")?.split(/, */).toSorted()).toEqual(allowed);
  });
});

describe("unknown members are named", () => {
  test.each<[JsonObject, string]>([
    [{ ip_restrictions: {} }, "ip_restrictions"],
    [{ ip_restriction: { allowed_cidr: [] } }, "ip_restriction.allowed_cidr"],
    [{ rate_limit_policy: { quota: 1, window: "1s", units: "requests" } }, "rate_limit_policy.units"],
  ])("%j", async (body, field) => {
    const { status, json, text } = await send("POST", keysPath, { body });
    expect(status).toBe(400);
    expect(text).toContain(`"field":"${field}"`);
    expect(json.message).toContain(field);
  });

  test("in a PATCH too, bare and wrapped", async () => {
    for (const body of [{ nme: "x" }, { issued_api_key: { nme: "x" } }] as JsonObject[]) {
      const { status, json } = await send("PATCH", absentPath, { body });
      expect([status, json.message]).toEqual([400, expect.stringContaining("nme")]);
    }
  });

  test("ignored if the setting says so", async () => {
    await using lenient = await startServerHere({ env: { KEYWRIGHT_UNKNOWN_FIELDS: "ignore" } });
    const answer = await httpSender(lenient.url, lenient.adminToken)("POST", keysPath, { body: { name: "x", from_the_future: [{}] } });
    expect([answer.status, at(answer.json, "issued_api_key", "name")]).toEqual([201, "x"]);
  });
});

describe("401 and 403 challenge (RFC 6750)", () => {
  test.each<[string, HttpOptions, RegExp]>([
    ["nothing sent", { token: null }, /^Bearer realm="keywright"$/],
    ["a wrong token", { token: token() }, /^Bearer .*error="invalid_token"/],
    ["a role without the permission", { token: roles.verifier }, /^Bearer .*error="insufficient_scope"/],
  ])("%s", async (_title, options, challenge) => {
    expect((await send("GET", keysPath, options)).headers.get("www-authenticate")).toMatch(challenge);
  });
});

test("an unknown caller learns nothing about the request", async () => {
  const answers = [
    await send("GET", absentPath, { token: null }),
    await send("GET", `${keysPath}?page_size=-1`, { token: null }),
    await send("POST", verifyPath, { token: null, body: {} }),
  ];
  for (const { status, json } of answers) expect([status, reasonOf(json)]).toEqual([401, "UNAUTHENTICATED"]);
});

function reasonOf(json: JsonObject): string | undefined {
  const details = json.details as unknown as readonly { "@type": string; reason?: string }[];
  return details.find((detail) => detail["@type"] === "type.googleapis.com/google.rpc.ErrorInfo")?.reason;
}
