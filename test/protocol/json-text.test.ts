import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HttpAnswer, Send } from "../support/http.ts";
import { httpSender } from "../support/http.ts";
import { startServerHere } from "../support/server-here.ts";
import type { RunningServer } from "../support/server-process.ts";

/** JSON as text that no client library would send. JSON/HTTP and Connect read it in the same way. */
let server: RunningServer;
let send: Send;

beforeAll(async () => {
  server = await startServerHere();
  send = httpSender(server.url, server.adminToken);
});
afterAll(() => server?.[Symbol.asyncDispose]());

const rpc = (method: string) => `/keywright.v2alpha1.ApiKeysService/${method}`;
const issuePaths = { "JSON/HTTP": "/v2alpha1/admin/issuedApiKeys", Connect: rpc("AdminIssueApiKey") };
const derivePaths = { "JSON/HTTP": "/v2alpha1/admin/apiKeys:derive", Connect: rpc("AdminDeriveToken") };
const batchPaths = { "JSON/HTTP": "/v2alpha1/admin/importedApiKeys:batchImport", Connect: rpc("AdminBatchImportApiKeys") };
const protocols = ["JSON/HTTP", "Connect"] as const;

interface Violation {
  readonly field?: string;
  readonly description: string;
}

/** The field violations of an error. JSON/HTTP has them as JSON, Connect beside their bytes. */
function violationsOf({ json }: HttpAnswer): Violation[] {
  const details = json.details as unknown as { field_violations?: Violation[]; debug?: { fieldViolations?: Violation[] } }[];
  return details.flatMap(({ field_violations, debug }) => field_violations ?? debug?.fieldViolations ?? []);
}

const fieldsOf = (answer: HttpAnswer) => [answer.status, ...violationsOf(answer).map(({ field = "" }) => field)];

describe.each(protocols)("%s", (protocol) => {
  const post = (paths: Record<string, string>, body: string) => send("POST", paths[protocol] as string, { body });

  test.each([
    ['{"name":"a","name":"b"}', "name"],
    ['{"name":"a","n\\u0061me":"a"}', "name"],
    ['{"metadata":{"a":{"b":1,"c":2,"b":3}}}', "metadata.a.b"],
    ['{"rateLimitPolicy":{"quota":"1","quota":"2","window":"1s"}}', "rate_limit_policy.quota"],
    ['{"requestId":"a","requestId":"b"}', "request_id"],
    ['{"actor_id":"a","actorId":"a"}', "actor_id"],
    ['{"actor_id":null,"actorId":"a"}', "actor_id"],
  ])("%s: a member that is given twice is refused", async (body, field) => {
    const answer = await post(issuePaths, body);
    expect(fieldsOf(answer)).toEqual([400, field]);
    expect(violationsOf(answer)[0]?.description).toMatch(/^is given twice/);
  });

  test("refuses a claim and a member of an item given twice", async () => {
    expect(fieldsOf(await post(derivePaths, '{"credential":"x","custom_claims":{"a":1,"a":2}}'))).toEqual([400, "custom_claims.a"]);
    const requests = '{"requests":[{"name":"a"},{"raw_key":"a","raw_key":"b"}]}';
    expect(fieldsOf(await post(batchPaths, requests))).toEqual([400, "requests[1].raw_key"]);
  });

  test.each([
    ['{"rate_limit_policy":{"quota":9007199254740993,"window":"1s"}}', "rate_limit_policy.quota"],
    ['{"rate_limit_policy":{"quota":9223372036854775807,"window":"1s"}}', "rate_limit_policy.quota"],
    ['{"rate_limit_policy":{"quota":"0x10","window":"1s"}}', "rate_limit_policy.quota"],
    ['{"rate_limit_policy":{"quota":"0b1","window":"1s"}}', "rate_limit_policy.quota"],
    ['{"rate_limit_policy":{"quota":" 5","window":"1s"}}', "rate_limit_policy.quota"],
    ['{"rate_limit_policy":{"quota":"","window":"1s"}}', "rate_limit_policy.quota"],
    ['{"metadata":{"a":[9007199254740993]}}', "metadata.a[0]"],
    ['{"metadata":{"a":[9007199254740992]}}', "metadata"],
    ['{"metadata":{"a":-1e16}}', "metadata"],
  ])("refuses %s, which would not be read exactly", async (body, field) => {
    const answer = await post(issuePaths, body);
    expect(fieldsOf(answer)).toEqual([400, field]);
    expect(violationsOf(answer)[0]?.description).toMatch(/use a string$|must be an integer of 64 bits/);
  });

  test.each([
    ["9007199254740994", "9007199254740994"],
    ['"9223372036854775807"', "9223372036854775807"],
    ['"1e3"', "1000"],
    ["1e3", "1000"],
    ["5.0", "5"],
  ])("a quota of %s is stored exactly", async (quota, expected) => {
    const answer = await post(
      issuePaths,
      `{"rate_limit_policy":{"quota":${quota},"window":"1s"},"metadata":{"a":[1e300,0.1,9007199254740991]}}`,
    );
    const { issued_api_key: fromHttp, issuedApiKey: fromConnect } = answer.json as Record<string, Record<string, Record<string, unknown>>>;
    const policy = fromHttp?.rate_limit_policy ?? fromConnect?.rateLimitPolicy;
    expect(policy?.quota, answer.text).toBe(expected);
    expect((fromHttp ?? fromConnect)?.metadata).toEqual({ a: [1e300, 0.1, 9007199254740991] });
  });

  test.each(["1", '" "'])("the message names the first five of six problems, whoever finds them: %s", async (scope) => {
    const answer = await post(issuePaths, `{"scopes":[${Array.from({ length: 6 }, () => scope).join(",")}]}`);
    expect(violationsOf(answer)).toHaveLength(6);
    expect(answer.json.message).toMatch(/^scopes\[0\]: .*scopes\[4\]: [^;]*; and 1 more$/);
  });

  test("a byte order mark is skipped", async () => {
    const answer = await post(issuePaths, '\ufeff{"name":"marked"}');
    expect(answer.text).toContain('"marked"');
  });

  test("text that is not JSON is refused with its position", async () => {
    const answer = await post(issuePaths, '{"name":"secret",}');
    expect([answer.status, answer.json.message]).toEqual([
      400,
      "the request body cannot be read: it is not valid JSON at line 1, column 18",
    ]);
  });

  test("a million empty arrays", async () => {
    const arrays = "[],".repeat(999_999);
    for (const body of [`[${arrays}[]]`, `{"requests":[${arrays}[]]}`]) {
      expect(violationsOf(await post(batchPaths, body))[0]?.description).toBe("must not hold more than 2048 items");
    }
    const nested = `{"requests":[${`[${"[],".repeat(999)}[]],`.repeat(1000)}[]]}`;
    expect(violationsOf(await post(batchPaths, nested))[0]?.description).toBe("must not hold more than 262144 values");
  });
});

test("a million empty arrays in a compressed body", async () => {
  // The random bytes are needed because a body may inflate to at most 32 times its size.
  const padding = randomBytes(32 * 1024).toString("hex");
  const body = gzipSync(`{"requests":["${padding}",${"[],".repeat(300_000)}[]]}`);
  const answer = await fetch(`${server.url}${rpc("AdminBatchVerifyApiKeys")}`, {
    method: "POST",
    headers: { authorization: `Bearer ${server.adminToken}`, "content-type": "application/json", "content-encoding": "gzip" },
    body,
  });
  expect(answer.status).toBe(400);
  expect(await answer.text()).toContain("requests: must not hold more than 2048 items");
});

test("Connect GET reads the same JSON", async () => {
  const get = (message: string) =>
    send("GET", `${rpc("AdminListIssuedApiKeys")}?encoding=json&connect=v1&message=${encodeURIComponent(message)}`);
  expect(fieldsOf(await get('{"pageSize":1,"pageSize":2}'))).toEqual([400, "page_size"]);
  expect((await get('\ufeff{"pageSize":"1e0"}')).status).toBe(200);
});

describe("the message of a Connect GET", () => {
  const get = (encoding: string, message: string) =>
    send("GET", `${rpc("AdminGetIssuedApiKey")}?connect=v1&encoding=${encoding}&message=${message}`);
  const named = (keyId: Buffer) => Buffer.concat([Buffer.from([10, keyId.length]), keyId]);
  // Its base64 has a plus in each group.
  const plus = Buffer.from(">>>".repeat(20));
  const escaped = (bytes: Buffer) => `%${bytes.toString("hex").match(/../g)?.join("%")}`;

  test("is refused if it is not UTF-8, as a body is", async () => {
    const answer = await get("json", "%7B%22key_id%22:%22%ff%22%7D");
    expect([answer.status, answer.json.message]).toEqual([400, "the request body cannot be read: it is not valid UTF-8 at byte 11"]);
  });

  test.each([
    ["without base64", escaped(named(plus))],
    ["base64url", `${named(plus).toString("base64url")}&base64=1`],
    ["base64", `${encodeURIComponent(named(plus).toString("base64"))}&base64=1`],
    ["base64 whose plus is not encoded", `${named(plus).toString("base64")}&base64=1`],
  ])("is read to its last byte: %s", async (_form, message) => {
    expect(await get("proto", message)).toMatchObject({ status: 404 });
  });

  test.each(["CgF4!", "CgF4 CgF4", "CgF4==CgF4", "C", "CgF4%3D%3D%3D"])("is refused if it is not base64: %s", async (message) => {
    expect((await get("proto", `${message}&base64=1`)).json.message).toBe("the message in the query is not valid base64");
  });

  test("is refused if it is not percent-encoded", async () => {
    expect((await get("proto", "%0a%01%7")).json.message).toBe("the message in the query is not validly percent-encoded");
  });
});

test.each([
  ["GZIP", "AdminListIssuedApiKeys", 200],
  ["Identity", "AdminListIssuedApiKeys", 400],
  ["", "AdminListIssuedApiKeys", 400],
])("the content coding %j has no case, and may be empty", async (coding, method, status) => {
  const headers = { authorization: `Bearer ${server.adminToken}`, "content-type": "application/json", "content-encoding": coding };
  const post = (path: string, body: Uint8Array<ArrayBuffer>) => fetch(`${server.url}${path}`, { method: "POST", headers, body });
  // Compressed bytes are not JSON.
  expect((await post(rpc(method), new Uint8Array(gzipSync("{}")))).status).toBe(status);
  const overHttp = await post("/v2alpha1/admin/apiKeys:verify", new TextEncoder().encode("{}"));
  expect(overHttp.status).toBe(coding === "GZIP" ? 415 : 400);
});

test.each([
  ["0x10", 400],
  ["0b1", 400],
  ["%205", 400],
  ["+5", 400],
  ["", 400],
  ["1.5", 400],
  ["9007199254740993", 400],
  ["1e2", 200],
  ["7", 200],
])("?page_size=%s", async (pageSize, status) => {
  expect((await send("GET", `/v2alpha1/admin/issuedApiKeys?page_size=${pageSize}`)).status).toBe(status);
});

describe("an encoded colon before a verb", () => {
  test.each(["%3A", "%3a"])("%s", async (colon) => {
    const { json } = await send("POST", issuePaths["JSON/HTTP"], { body: {} });
    const { key_id } = json.issued_api_key as { key_id: string };
    const rotated = await send("POST", `/v2alpha1/admin/issuedApiKeys/${key_id}${colon}rotate`, { body: {} });
    expect(rotated.status, rotated.text).toBe(201);
    expect(rotated.json.old_issued_api_key).toMatchObject({ key_id });
    const verified = await send("POST", `/v2alpha1/admin/apiKeys${colon}verify`, { body: { credential: String(json.secret) } });
    expect(verified.json).toMatchObject({ is_valid: false, key_id, scopes: [] });
  });

  test("another method returns 405 and names the allowed one", async () => {
    const answer = await send("PUT", "/v2alpha1/admin/issuedApiKeys/x%3Arotate");
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "OPTIONS, POST"]);
    const key = await send("PUT", "/v2alpha1/admin/issuedApiKeys/x%3Ay");
    expect([key.status, key.headers.get("allow")]).toEqual([405, "GET, HEAD, OPTIONS, PATCH"]);
  });
});

test("lists and page tokens are always written over JSON/HTTP", async () => {
  await using empty = await startServerHere();
  const get = httpSender(empty.url, empty.adminToken);
  expect((await get("GET", "/v2alpha1/admin/issuedApiKeys")).json).toEqual({ issued_api_keys: [], next_page_token: "" });
  expect((await get("GET", "/v2alpha1/admin/importedApiKeys")).json).toEqual({ imported_api_keys: [], next_page_token: "" });
  expect((await get("GET", "/v2alpha1/admin/auditEvents")).json).toMatchObject({ audit_events: [], next_page_token: "" });
  expect((await get("POST", "/v2alpha1/admin/issuedApiKeys", { body: {} })).json.issued_api_key).toMatchObject({ scopes: [] });
});
