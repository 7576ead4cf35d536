import { once } from "node:events";
import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { httpSender, type Send } from "../support/http.ts";
import { startServerHere } from "../support/server-here.ts";
import type { RunningServer } from "../support/server-process.ts";

const keysPath = "/v2alpha1/admin/issuedApiKeys";
const verifyPath = "/v2alpha1/admin/apiKeys:verify";
const webRpcPath = "/keywright.v2alpha1.ApiKeysService/AdminVerifyApiKey";
const origin = "https://app.example";
let server: RunningServer;
let send: Send;

beforeAll(async () => {
  server = await startServerHere();
  send = httpSender(server.url, server.adminToken);
});
afterAll(() => server?.[Symbol.asyncDispose]());

describe("X-Request-Id", () => {
  const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

  test.each(["a", "~!{}", "x".repeat(128)])("accepts %s", async (requestId) => {
    for (const path of [keysPath, "/nothing/here"]) {
      expect((await send("GET", path, { headers: { "x-request-id": requestId } })).headers.get("x-request-id")).toBe(requestId);
    }
  });

  test.each([undefined, "with space", "x".repeat(129), "ümlaut"])("generates one instead of %s", async (requestId) => {
    const headers: Record<string, string> = requestId === undefined ? {} : { "x-request-id": requestId };
    expect((await send("GET", keysPath, { headers })).headers.get("x-request-id")).toMatch(uuid);
  });

  test("is part of the error and the log", async () => {
    const requestId = "find-me-in-the-log";
    await send("POST", keysPath, { body: {}, headers: { "x-request-id": requestId } });
    const { text } = await send("GET", `${keysPath}/absent`, { headers: { "x-request-id": requestId } });
    expect(text).toContain(`"request_id":"${requestId}"`);
    await expect.poll(() => server.output()).toContain(`"${requestId}"`);
  });
});

describe("the cache", () => {
  // A process that has just started trusts no entry before its heartbeat has returned.
  test("serves hits once it is warm", async () => {
    const body = { credential: String((await send("POST", keysPath, { body: {} })).json.secret) };
    const cacheStatus = async () => (await send("POST", verifyPath, { body })).headers.get("cache-status");
    await expect.poll(cacheStatus, { timeout: 10_000 }).toBe("keywright; hit");
  });

  test.each<[string, Record<string, string>, string]>([
    ["Cache-Control: no-cache", { "cache-control": "no-cache" }, "keywright; fwd=bypass"],
    ["Cache-Control: max-age=0, No-Cache", { "cache-control": "max-age=0, No-Cache" }, "keywright; fwd=bypass"],
    ["Cache-Control: no-store", { "cache-control": "no-store" }, "keywright; fwd=bypass"],
    ["Pragma: no-cache", { pragma: "no-cache" }, "keywright; fwd=bypass"],
    ["Cache-Control: max-age=0", { "cache-control": "max-age=0" }, "keywright; hit"],
    ["Pragma: other", { pragma: "other" }, "keywright; hit"],
  ])("%s", async (_title, headers, outcome) => {
    const body = { credential: String((await send("POST", keysPath, { body: {} })).json.secret) };
    await send("POST", verifyPath, { body });
    expect((await send("POST", verifyPath, { body, headers })).headers.get("cache-status")).toBe(outcome);
  });

  test("no-store leaves the cache unchanged, no-cache fills it", async () => {
    for (const [directive, next] of [
      ["no-store", "keywright; fwd=miss"],
      ["no-cache", "keywright; hit"],
    ] as const) {
      const body = { credential: String((await send("POST", keysPath, { body: {} })).json.secret) };
      await send("POST", verifyPath, { body, headers: { "cache-control": directive } });
      expect((await send("POST", verifyPath, { body })).headers.get("cache-status"), directive).toBe(next);
    }
  });
});

describe("HEAD and OPTIONS", () => {
  test("HEAD is GET without the body", async () => {
    const answer = await send("HEAD", keysPath);
    expect([answer.status, answer.text, answer.headers.get("content-type")]).toEqual([200, "", "application/json"]);
    expect((await send("HEAD", `${keysPath}/absent`)).status).toBe(404);
    expect((await send("HEAD", keysPath, { token: null })).status).toBe(401);
  });

  test("HEAD returns 405 if there is no GET", async () => {
    expect((await send("HEAD", verifyPath)).status).toBe(405);
  });

  test("OPTIONS lists a path's methods, for anyone", async () => {
    const answer = await send("OPTIONS", keysPath, { token: null });
    expect([answer.status, answer.text]).toEqual([204, ""]);
    expect(answer.headers.get("allow")?.split(/, */).toSorted()).toEqual(["GET", "HEAD", "OPTIONS", "POST"]);
    expect((await send("OPTIONS", "/nothing/here", { token: null })).status).toBe(404);
  });
});

describe("CORS", () => {
  const preflightOf = (path: string, requestedHeaders: string) => ({
    path,
    headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": requestedHeaders },
  });
  const preflights = [
    preflightOf(verifyPath, "authorization,content-type,x-request-id"),
    preflightOf(webRpcPath, "authorization,content-type,connect-protocol-version,connect-timeout-ms,x-grpc-web,x-user-agent,grpc-timeout"),
  ];

  test("is off: no header on preflights and calls", async () => {
    const answers = [];
    for (const { path, headers } of preflights) answers.push(await plain(server, "OPTIONS", path, headers));
    answers.push(await plain(server, "POST", verifyPath, { origin }));
    for (const headers of answers) {
      expect(Object.keys(headers).filter((name) => name.startsWith("access-control-"))).toEqual([]);
    }
  });

  describe("with an origin", () => {
    let open: RunningServer;
    beforeAll(async () => {
      open = await startServerHere({ env: { KEYWRIGHT_CORS_ORIGINS: `https://other.example,${origin}` } });
    });
    afterAll(() => open?.[Symbol.asyncDispose]());

    test.each(preflights)("a preflight of $path is granted", async ({ path, headers }) => {
      const answer = await plain(open, "OPTIONS", path, headers);
      expect(answer["access-control-allow-origin"]).toBe(origin);
      expect(listOf(answer["access-control-allow-methods"])).toContain("post");
      expect(listOf(answer["access-control-allow-headers"])).toEqual(
        expect.arrayContaining(headers["access-control-request-headers"].split(",")),
      );
      expect(listOf(answer.vary)).toContain("origin");
    });

    test("pages may read responses, including errors and their headers", async () => {
      for (const path of [verifyPath, webRpcPath]) {
        const answer = await plain(open, "POST", path, { origin, "content-type": "application/json" });
        expect(answer["access-control-allow-origin"], path).toBe(origin);
        expect(listOf(answer["access-control-expose-headers"]), path).toContain("x-request-id");
        expect(listOf(answer.vary), path).toContain("origin");
      }
    });

    test("another origin gets nothing", async () => {
      for (const stranger of ["https://evil.example", "null", `${origin}.evil.example`, "http://app.example"]) {
        const answer = await plain(open, "POST", verifyPath, { origin: stranger });
        expect(answer["access-control-allow-origin"], stranger).toBeUndefined();
      }
    });
  });
});

/** Returns response headers. Uses node:http, because fetch hides Origin. */
async function plain({ url }: RunningServer, method: string, path: string, headers: Record<string, string>) {
  const outgoing = request(`${url}${path}`, { method, headers });
  outgoing.end(method === "POST" ? "{}" : undefined);
  const [answer] = await once(outgoing, "response");
  answer.resume();
  await once(answer, "end");
  return answer.headers as Record<string, string | undefined>;
}

function listOf(header: string | undefined): string[] {
  return (header ?? "").toLowerCase().split(/ *, */);
}
