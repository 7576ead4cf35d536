import { readFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { docsPaths } from "../../src/site/docs/paths.ts";
import { httpSender, type Send } from "../support/http.ts";
import { startServerHere } from "../support/server-here.ts";
import type { RunningServer } from "../support/server-process.ts";

const generated = readFileSync(new URL("../../gen/openapi.json", import.meta.url), "utf8");
let server: RunningServer;
let send: Send;

beforeAll(async () => {
  server = await startServerHere();
  send = httpSender(server.url, server.adminToken);
});
afterAll(() => server?.[Symbol.asyncDispose]());

/** Sends no token, and omits what `fetch` would add. */
function get(path: string, headers: Readonly<Record<string, string>> = {}) {
  return send("GET", path, { token: null, headers: { "accept-encoding": "identity", ...headers } });
}

test("anyone can get the document that `npm run generate` made", async () => {
  const answer = await get("/openapi.json");
  expect([answer.status, answer.text]).toEqual([200, generated]);
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(generated)),
    "cache-control": "no-cache",
    vary: "accept-encoding",
    "x-content-type-options": "nosniff",
  });
});

test("a client that has the document in the encoding that it asks for gets 304 with its tag, also if the tag is weak, in a list or *", async () => {
  const plain = (await get("/openapi.json")).headers.get("etag") ?? "";
  const packed = (await get("/openapi.json", { "accept-encoding": "br, gzip" })).headers.get("etag") ?? "";
  expect(plain).toMatch(/^"[\w-]{22}"$/);
  expect(packed).not.toBe(plain);
  for (const tag of [plain, `W/${plain}`, `"other", ${plain}`, "*"]) {
    const answer = await get("/openapi.json", { "if-none-match": tag });
    expect([tag, answer.status, answer.text, answer.headers.get("etag")]).toEqual([tag, 304, "", plain]);
  }
  const again = await get("/openapi.json", { "accept-encoding": "gzip", "if-none-match": packed });
  expect([again.status, again.headers.get("etag")]).toEqual([304, packed]);
  // A cache that updates its stored response by a 304 would combine the tag of one encoding with the body of the other.
  for (const tag of [packed, '"other"']) expect((await get("/openapi.json", { "if-none-match": tag })).status).toBe(200);
  expect((await get("/openapi.json", { "accept-encoding": "gzip", "if-none-match": plain })).status).toBe(200);
});

test("the document is compressed only for clients that accept it", async () => {
  const client = connectHttp2(server.url);
  const lengths = new Map<string, number>();
  for (const accept of ["gzip", "gzip;q=0.5, br", "gzip;q=0", "br"]) {
    const stream = client.request({ ":path": "/openapi.json", "accept-encoding": accept });
    const encoding = await new Promise((resolve) => stream.once("response", (headers) => resolve(headers["content-encoding"])));
    const body = Buffer.concat(await stream.toArray());
    expect([accept, encoding]).toEqual([
      accept,
      accept.includes("q=0") && !accept.includes("0.5") ? undefined : accept === "br" ? undefined : "gzip",
    ]);
    expect((encoding === "gzip" ? gunzipSync(body) : body).toString()).toBe(generated);
    lengths.set(accept, body.length);
  }
  client.close();
  expect((lengths.get("gzip") as number) * 5).toBeLessThan(lengths.get("br") as number);
});

test("HEAD returns only the headers; other methods are refused with a list of the allowed ones", async () => {
  const head = await send("HEAD", "/openapi.json", { token: null });
  expect([head.status, head.text, head.headers.get("etag")]).toEqual([200, "", expect.stringMatching(/^"/)]);
  for (const path of ["/", "/openapi.json"]) {
    const refused = await send("POST", path, { body: {}, token: null });
    expect([refused.status, refused.headers.get("allow")]).toEqual([405, "GET, HEAD, OPTIONS"]);
    expect(JSON.stringify(refused.json.details)).toContain("METHOD_NOT_ALLOWED");
    const options = await send("OPTIONS", path, { token: null });
    expect([options.status, options.headers.get("allow")]).toEqual([204, "GET, HEAD, OPTIONS"]);
  }
});

test("GET / returns JSON for programs and HTML for people, and every path in it works", async () => {
  for (const accept of ["*/*", "application/json", "text/html;q=0.1, application/json", "text/html;q=0"]) {
    const answer = await get("/", { accept });
    expect([accept, answer.headers.get("content-type")]).toEqual([accept, "application/json"]);
    expect(answer.json).toMatchObject({ name: "Keywright", openapi: "/openapi.json" });
  }
  const page = await get("/", { accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8" });
  expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(page.headers.get("vary")).toBe("accept-encoding, accept");
  expect(page.headers.get("content-security-policy")).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/]+='; /);
  const paths = Object.values((await get("/")).json).filter((value) => String(value).startsWith("/"));
  expect(paths.length).toBeGreaterThan(3);
  for (const path of paths) {
    expect(page.text).toContain(`href="${String(path).slice(1)}"`);
    expect([path, (await get(String(path))).status]).toEqual([path, 200]);
  }
});

test("every operation of the document is a route of the server, with the documented security", async () => {
  const { paths } = JSON.parse(generated) as { paths: Record<string, Record<string, { security: readonly unknown[] }>> };
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([verb, { security }]) => ({ path, verb, security })),
  );
  expect(operations.length).toBeGreaterThan(20);
  for (const { path, verb, security } of operations) {
    const answer = await send(verb.toUpperCase(), path.replaceAll(/\{\w+\}/g, "x"), { token: null });
    // An unknown path returns 404, and an unknown verb 405.
    expect([verb, path, answer.status === 401]).toEqual([verb, path, security.length > 0]);
    expect([verb, path, answer.status]).not.toEqual([verb, path, 405]);
    expect(answer.text).not.toContain("ROUTE_NOT_FOUND");
  }
});

test("the page and everything that it uses come from this server, under a policy that allows nothing else", async () => {
  const page = await get("/docs");
  expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  expect(page.headers.get("content-security-policy")).toBe(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  );
  const named = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = ""]) => path);
  expect(named).toContain("docs/swagger-ui-bundle.js");
  for (const link of new Set(named)) {
    // Relative to /docs, so that a proxy may serve Keywright below a path of its own.
    expect(link).not.toMatch(/^\/|:/);
    const path = new URL(link, "http://server/docs").pathname;
    const answer = await get(path);
    expect([path, answer.status]).toEqual([path, 200]);
    if (path.startsWith("/docs/")) expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
  }
});

test("the page's path with a slash at the end leads to the page", async () => {
  const answer = await fetch(`${server.url}/docs/`, { redirect: "manual" });
  expect([answer.status, answer.headers.get("location")]).toEqual([308, "../docs"]);
});

test("KEYWRIGHT_DOCS=off removes the page, and the index does not list it", async () => {
  await using without = await startServerHere({ env: { KEYWRIGHT_DOCS: "off" } });
  const ask = httpSender(without.url, without.adminToken);
  for (const path of docsPaths) expect((await ask("GET", path, { token: null })).status).toBe(404);
  expect(Object.keys((await ask("GET", "/")).json)).not.toContain("docs");
  expect((await ask("GET", "/openapi.json", { token: null })).status).toBe(200);
});
