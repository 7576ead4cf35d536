import { type Arena, type Attack, authorization, sendAndJudge } from "./attack.ts";
import { type ExchangeOptions, exchange } from "./http1-wire.ts";
import type { Random } from "./random.ts";
import { targets } from "./targets.ts";
import { oddText } from "./values.ts";

const verifyPath = "/v2alpha1/admin/apiKeys:verify";

/** HTTP/1.1 on raw sockets: odd paths, methods and headers, garbage, connections that end early. */
export const http1Attacks: readonly Attack[] = [
  {
    name: "http1: odd paths",
    weight: 12,
    run: (arena) => oddRequest(arena, "http1: odd paths", arena.random.pick(["GET", "POST"]), oddPath(arena.random)),
  },
  {
    name: "http1: odd methods",
    weight: 4,
    run: (arena) => oddRequest(arena, "http1: odd methods", oddMethod(arena.random), arena.random.pick(targets).path),
  },
  { name: "http1: odd headers", weight: 8, run: oddHeaders },
  { name: "http1: pipelined garbage", weight: 4, run: pipelinedGarbage },
  { name: "http1: half-closed", weight: 3, run: halfClosed },
  { name: "http1: garbage", weight: 4, run: garbage },
];

async function oddRequest(arena: Arena, attack: string, method: string, path: string): Promise<void> {
  const headers = authorization(arena);
  const body = method === "POST" ? Buffer.from("{}") : undefined;
  const contentType: [string, string][] = body === undefined ? [] : [["content-type", "application/json"]];
  const sent = [...headers, ...contentType] as const;
  const request = { method, path, headers: sent, ...(body && { body }) };
  // Connect answers an unknown method of a service with `unimplemented`, which is 501.
  const isUnknownRpc = /^(https?:\/\/[^/]*)?\/(grpc|keywright)\.[\w.]+\//.test(path);
  const isTunnel = method === "CONNECT" || method === "PRI";
  await sendAndJudge(arena, attack, request, { unimplemented: isUnknownRpc }, isTunnel ? "http1" : undefined);
}

function oddPath(random: Random): string {
  const known = random
    .pick(targets)
    .path.replace(
      /\{[^}]*\}/,
      random.pick([
        "x",
        "%2F",
        "..",
        "%2e%2e",
        ".",
        "a%2Fb",
        "%00",
        "%",
        "%zz",
        "%f0%9f%94%91",
        "%ff",
        "x:rotate",
        ":rotate",
        "::",
        "{key_id}",
        "**",
      ]),
    );
  const made = random.pick<() => string>([
    () => known,
    () => `/${known}`,
    () => `${known}/`,
    () => known.replace("/", "//"),
    () => known.replaceAll("/", "%2F"),
    () => known.replaceAll("/", "\\"),
    () => `/v2alpha1/../v2alpha1${known}`,
    () => `/%2e%2e${known}`,
    () => `/.${known}`,
    () => `${known};jsessionid=1`,
    () => `${known}#fragment`,
    () => `${known}?`,
    () => `${known}%20`,
    () => known.toUpperCase(),
    () => `//evil.example${known}`,
    () => `http://evil.example${known}`,
    () => "*",
    () => "/",
    () => `/${"a".repeat(random.pick([2000, 8000, 15_000]))}`,
    () => `/${"a/".repeat(random.pick([100, 4000]))}`,
    () => `/${"%2e%2e%2f".repeat(200)}`,
    () => `${known}:verify:verify`,
    () => `/health/${random.pick(["", "ready/", "alive%00", "../health/alive", "READY"])}`,
    () => `/grpc.health.v1.Health/${random.pick(["Check", "Watch", "List", "check", ""])}`,
    () => `/grpc.reflection.v1.ServerReflection/ServerReflectionInfo`,
    () => `/keywright.v2alpha1.ApiKeysService/${random.pick(["", "GetJwks/", "getJwks", "__proto__", "constructor", "toString"])}`,
    () => `/${encodeURIComponent(oddText(random).toWellFormed()).slice(0, 4000)}`,
    () =>
      `/${random
        .bytes(20)
        .toString("latin1")
        .replaceAll(/[\p{Cc} ]/gu, "x")}`,
  ])();
  return made.replaceAll(/[ \r\n\t]/g, "%20") || "/";
}

function oddMethod(random: Random): string {
  return random.pick([
    "TRACE",
    "PROPFIND",
    "OPTIONS",
    "HEAD",
    "PUT",
    "PATCH",
    "DELETE",
    "CONNECT",
    "M-SEARCH",
    "SOURCE",
    "PURGE",
    "LINK",
    "QUERY",
    "FOO",
    "get",
    "G\x01T",
    "POSTPOSTPOST",
    "PRI",
    "A".repeat(3000),
  ]);
}

/** Raw header blocks in an otherwise valid request. */
async function oddHeaders(arena: Arena): Promise<void> {
  const { random, adminToken } = arena;
  const lines = random.pick<() => string>([
    () => `X-Big: ${"a".repeat(random.pick([8000, 17_000, 70_000]))}\r\n`,
    () => Array.from({ length: random.pick([99, 101, 500, 2000]) }, (_, index) => `X-${index}: 1\r\n`).join(""),
    () => "X-A: 1\r\n".repeat(50),
    () => "X Y: 1\r\n",
    () => "X-A : 1\r\n",
    () => ": 1\r\n",
    () => "no colon\r\n",
    () => "X-Fold: a\r\n b\r\n\tc\r\n",
    () => "X-Bare: a\n",
    () => "X-Cr: a\rb\r\n",
    () => "X-Nul: a\0b\r\n",
    () =>
      `X-High: ${random
        .bytes(30)
        .toString("latin1")
        .replaceAll(/\p{Cc}/gu, "x")}\r\n`,
    () => "Host: other\r\n",
    () => "Connection: close, keep-alive, upgrade, authorization\r\n",
    () => "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
    () => "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n",
    () => "Expect: 100-continue\r\n",
    () => "Expect: 200-ok\r\n",
    () => `X-Request-Id: ${oddText(random).replaceAll(/[\r\n\0]/g, "")}\r\n`,
    () => `X-Forwarded-For: ${"1.2.3.4, ".repeat(random.pick([1, 1000]))}not an address\r\n`,
    () => "Content-Encoding: gzip\r\n",
    () => "Content-Encoding: br, gzip, zstd\r\n",
    () => "Accept: \r\nAccept-Encoding: *;q=x\r\n",
    () => "Origin: null\r\nAccess-Control-Request-Method: DELETE\r\n",
    () => "Cookie: a=b; ".concat("c=d; ".repeat(200), "\r\n"),
    () => "Range: bytes=0-0\r\nIf-None-Match: *\r\n",
    () => "X-HTTP-Method-Override: DELETE\r\nX-Original-URL: /admin\r\n",
    () => `Authorization: Bearer ${adminToken}\r\nAuthorization: Bearer x\r\n`,
    () => "Trailer: Authorization\r\nTE: trailers\r\n",
  ])();
  const body = JSON.stringify({ credential: "x" });
  const version = random.pick(["1.1", "1.1", "1.1", "1.1", "1.0", "0.9", "2.0", "9.9"]);
  const text = `POST ${verifyPath} HTTP/${version}\r\nHost: localhost\r\nAuthorization: Bearer ${adminToken}\r\nContent-Type: application/json\r\n${lines}Content-Length: ${body.length}\r\n\r\n${body}`;
  await raw(arena, "http1: odd headers", [text], { answers: 1, timeoutMs: 3000 });
}

/** Valid requests followed by garbage: no more responses than one per valid request and one refusal. */
async function pipelinedGarbage(arena: Arena): Promise<void> {
  const { random } = arena;
  const good = random.below(4);
  const junk = random.pick([
    "\r\n\r\n\r\nFOO",
    "\0\0\0\0",
    "GET\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/1.1 200 OK\r\n\r\n",
    random.bytes(50).toString("latin1"),
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  ]);
  const request = "GET /health/alive HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const { responses } = await raw(
    arena,
    "http1: pipelined garbage",
    [request.repeat(good) + junk],
    { answers: good + 1, timeoutMs: 300, halfClose: random.chance(0.5) },
    good + 1,
  );
  if (responses.length > good + 1) arena.report.fault("http1: pipelined garbage", `${responses.length} answers to ${good} requests`);
}

/** The client closes its side in the middle of a request or after it. */
async function halfClosed(arena: Arena): Promise<void> {
  const { random } = arena;
  const whole = `POST ${verifyPath} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${arena.adminToken}\r\nContent-Type: application/json\r\nContent-Length: 18\r\n\r\n{"credential":"x"}`;
  const sent = random.chance(0.3) ? whole : whole.slice(0, random.below(whole.length));
  const { end } = await raw(arena, "http1: half-closed", [sent], { answers: 2, timeoutMs: 5000, halfClose: true });
  if (end === "timeout")
    arena.report.fault(
      "http1: half-closed",
      `the connection stays open after the client's FIN (${sent.length} of ${whole.length} bytes sent)`,
    );
}

async function garbage(arena: Arena): Promise<void> {
  const { random } = arena;
  const sent = random.pick<() => Buffer>([
    () => random.bytes(1 + random.below(500)),
    () => Buffer.from("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "latin1"),
    () => Buffer.from("GET"),
    () => Buffer.from("\r\n".repeat(1000)),
    () => Buffer.from("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"),
    () => Buffer.from("PRI * HTTP/2.0\r\n"),
    () => Buffer.from("EHLO example.com\r\n"),
    () => Buffer.from("GET / HTTP/1.1"),
    () => Buffer.from("GET  /  HTTP/1.1\r\n\r\n"),
    () => Buffer.from("GET / HTTP/1.1\r\n\r\n"),
    () => Buffer.alloc(20_000, "a"),
  ])();
  await raw(arena, "http1: garbage", [sent], { answers: 1, timeoutMs: random.pick([20, 100]) });
}

async function raw(arena: Arena, attack: string, chunks: readonly (string | Buffer | number)[], options: ExchangeOptions, requests = 1) {
  arena.report.count(attack, requests);
  const result = await exchange(arena.port, chunks, options);
  for (const response of result.responses) arena.report.judge(attack, response);
  return result;
}
