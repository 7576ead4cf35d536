import { brotliCompressSync, gzipSync } from "node:zlib";
import { create, fromBinary, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BadRequestSchema, ErrorInfoSchema, RequestInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { VerifyApiKeyRequestSchema, VerifyApiKeyResponseSchema } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import {
  envelope,
  type HttpVersion,
  mebibyte,
  type RawAnswer,
  type RawRequest,
  send,
  startServer,
  type TestServer,
  verifyPath,
} from "./support.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const proto = (credential: string): Uint8Array => toBinary(VerifyApiKeyRequestSchema, create(VerifyApiKeyRequestSchema, { credential }));
const tooLarge = proto("x".repeat(mebibyte));
const bomb = gzipSync(Buffer.alloc(20 * mebibyte));
const deep = `{"credential":${"[".repeat(50_000)}${"]".repeat(50_000)}}`;

/** Name, body, additional headers, and the reason that the response must contain ("" for success). */
type Case = readonly [name: string, body: Uint8Array | string, headers: Record<string, string>, reason: string];

const connectJson: readonly Case[] = [
  ["good", '{"credential":"k1","requiredScopes":["a"]}', {}, ""],
  ["snake case and version header", '{"credential":"k1","required_scopes":["a"]}', { "connect-protocol-version": "1" }, ""],
  ["another version of the protocol", '{"credential":"k1"}', { "connect-protocol-version": "2" }, "INVALID_REQUEST"],
  ["request id and metadata", '{"credential":"k1"}', { "x-request-id": "abc-1", "x-custom": "1", "x-custom-bin": "AAEC" }, ""],
  ["request id that is not printable", '{"credential":"k1"}', { "x-request-id": "a b" }, ""],
  ["accepts compression", '{"credential":"k1"}', { "accept-encoding": "gzip, br" }, ""],
  ["gzip", gzipSync('{"credential":"k1"}'), { "content-encoding": "gzip" }, ""],
  ["brotli", brotliCompressSync('{"credential":"k1"}'), { "content-encoding": "br" }, ""],
  ["identity", '{"credential":"k1"}', { "content-encoding": "identity" }, ""],
  ["timeout", '{"credential":"k1"}', { "connect-timeout-ms": "9999999999" }, ""],
  ["charset", '{"credential":"k1"}', { "content-type": "application/json; charset=utf-8" }, ""],
  ["charset without its hyphen", '{"credential":"k1"}', { "content-type": "application/json; charset=utf8" }, ""],
  ["charset in quotes", '{"credential":"k1"}', { "content-type": 'application/json;charset="utf-8"' }, ""],
  ["an empty parameter", '{"credential":"k1"}', { "content-type": "application/json;" }, ""],
  ["a second parameter", '{"credential":"k1"}', { "content-type": 'application/json; q="a;b=c"; charset=utf-8; x=y' }, ""],
  ["charset that is not UTF-8", '{"credential":"k1"}', { "content-type": "application/json; charset=latin1" }, "UNSUPPORTED_MEDIA_TYPE"],
  ["charset in capitals", '{"credential":"k1"}', { "content-type": "Application/JSON;charset=UTF-8" }, ""],
  ["own failure", '{"credential":"unknown"}', {}, "KEY_NOT_FOUND"],
  ["own failure with violations", '{"credential":"violation"}', {}, "INVALID_REQUEST"],
  ["bug", '{"credential":"bug"}', {}, "INTERNAL"],
  ["response that cannot be written", '{"credential":"unwritable"}', {}, "INTERNAL"],
  ["unknown field", '{"credential":"k1","sekret":"hunter2"}', {}, "INVALID_REQUEST"],
  ["unknown field that is not valid text", '{"credential":"k1","\\ud800":1}', {}, "INVALID_REQUEST"],
  ["wrong type", '{"credential":{"hunter2":1}}', {}, "INVALID_REQUEST"],
  [
    "many problems",
    JSON.stringify(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`${"long".repeat(50)}${i}`, 1]))),
    {},
    "INVALID_REQUEST",
  ],
  ["malformed", '{"credential": hunter2', {}, "MALFORMED_BODY"],
  ["empty", "", {}, "MALFORMED_BODY"],
  ["not UTF-8", Buffer.from([0x22, 0xff, 0x22]), {}, "MALFORMED_BODY"],
  ["deep", deep, {}, "INVALID_REQUEST"],
  ["too large", `{"credential":"${"x".repeat(mebibyte)}"}`, {}, "BODY_TOO_LARGE"],
  ["too large when inflated", bomb, { "content-encoding": "gzip" }, "BODY_TOO_LARGE"],
  ["not gzip", '{"credential":"k1"}', { "content-encoding": "gzip" }, "MALFORMED_BODY"],
  ["gzip cut off", gzipSync('{"credential":"k1"}').subarray(0, 20), { "content-encoding": "gzip" }, "MALFORMED_BODY"],
  ["unknown compression", '{"credential":"k1"}', { "content-encoding": "hunter2" }, "UNIMPLEMENTED"],
  ["bad timeout", '{"credential":"k1"}', { "connect-timeout-ms": "hunter2" }, "INVALID_REQUEST"],
  ["negative timeout", '{"credential":"k1"}', { "connect-timeout-ms": "-1" }, "INVALID_REQUEST"],
  ["no time at all", '{"credential":"k1"}', { "connect-timeout-ms": "0" }, "DEADLINE_EXCEEDED"],
  ["too little time", '{"credential":"late"}', { "connect-timeout-ms": "20" }, "DEADLINE_EXCEEDED"],
  ["no credentials", '{"credential":"k1"}', { authorization: "" }, "UNAUTHENTICATED"],
  ["wrong content type", "<credential/>", { "content-type": "text/xml" }, "UNSUPPORTED_MEDIA_TYPE"],
  ["content type of streams", "{}", { "content-type": "application/connect+json" }, "UNSUPPORTED_MEDIA_TYPE"],
];

const connectProto: readonly Case[] = [
  ["good", proto("k1"), {}, ""],
  ["empty, which is a message", "", {}, ""],
  ["gzip", gzipSync(proto("k1")), { "content-encoding": "gzip" }, ""],
  ["own failure", proto("violation"), {}, "INVALID_REQUEST"],
  ["malformed", Buffer.from([0x0a, 0xff]), {}, "MALFORMED_BODY"],
  ["not UTF-8", Buffer.from([0x0a, 0x01, 0xff]), {}, "MALFORMED_BODY"],
  ["text as a number", Buffer.from([0x08, 0x02, 0x6b, 0x31]), {}, "MALFORMED_BODY"],
  ["text as a group", Buffer.from([0x0b, 0x02, 0x6b, 0x31]), {}, "MALFORMED_BODY"],
  ["too large", tooLarge, {}, "BODY_TOO_LARGE"],
  ["response that cannot be written", proto("unwritable"), {}, "INTERNAL"],
];

const grpc: readonly Case[] = [
  ["good", envelope(proto("k1")), {}, ""],
  ["metadata", envelope(proto("k1")), { "x-request-id": "abc-1", "x-custom-bin": "AAEC" }, ""],
  ["short content type", envelope(proto("k1")), { "content-type": "application/grpc" }, ""],
  ["empty message", envelope(Buffer.alloc(0)), {}, ""],
  ["gzip", envelope(gzipSync(proto("k1")), 1), { "grpc-encoding": "gzip" }, ""],
  ["gzip announced, not used", envelope(proto("k1")), { "grpc-encoding": "gzip", "grpc-accept-encoding": "gzip" }, ""],
  ["brotli", envelope(brotliCompressSync(proto("k1")), 1), { "grpc-encoding": "br" }, ""],
  ["timeout", envelope(proto("k1")), { "grpc-timeout": "99999999H" }, ""],
  ["own failure", envelope(proto("unknown")), {}, "KEY_NOT_FOUND"],
  ["own failure with violations", envelope(proto("violation")), {}, "INVALID_REQUEST"],
  ["bug", envelope(proto("bug")), {}, "INTERNAL"],
  ["response that cannot be written", envelope(proto("unwritable")), {}, "INTERNAL"],
  ["no credentials", envelope(proto("k1")), { authorization: "" }, "UNAUTHENTICATED"],
  ["malformed message", envelope(Buffer.from([0x0a, 0xff])), {}, "MALFORMED_BODY"],
  ["no message", "", {}, "UNIMPLEMENTED"],
  ["two messages", Buffer.concat([envelope(proto("k1")), envelope(proto("k1"))]), {}, "UNIMPLEMENTED"],
  ["bytes after the message", Buffer.concat([envelope(proto("k1")), Buffer.from([0])]), {}, "UNIMPLEMENTED"],
  ["envelope cut off", Buffer.from([0, 0, 0]), {}, "MALFORMED_BODY"],
  ["message cut off", envelope(proto("k1"), 0, 100), {}, "MALFORMED_BODY"],
  ["length beyond the maximum", envelope(proto("k1"), 0, 0xffffffff), {}, "BODY_TOO_LARGE"],
  ["too large", envelope(tooLarge), {}, "BODY_TOO_LARGE"],
  ["too large when inflated", envelope(bomb, 1), { "grpc-encoding": "gzip" }, "BODY_TOO_LARGE"],
  ["compressed without an encoding", envelope(gzipSync(proto("k1")), 1), {}, "UNDECLARED_COMPRESSION"],
  ["compressed with identity", envelope(gzipSync(proto("k1")), 1), { "grpc-encoding": "identity" }, "UNDECLARED_COMPRESSION"],
  ["not gzip", envelope(proto("k1"), 1), { "grpc-encoding": "gzip" }, "MALFORMED_BODY"],
  ["unknown flags", envelope(proto("k1"), 0x82), {}, "MALFORMED_BODY"],
  ["unknown compression", envelope(proto("k1")), { "grpc-encoding": "hunter2" }, "UNIMPLEMENTED"],
  ["bad timeout", envelope(proto("k1")), { "grpc-timeout": "hunter2" }, "INVALID_REQUEST"],
  ["timeout of nine digits", envelope(proto("k1")), { "grpc-timeout": "123456789n" }, "INVALID_REQUEST"],
  ["no time at all", envelope(proto("k1")), { "grpc-timeout": "0m" }, "DEADLINE_EXCEEDED"],
  ["too little time", envelope(proto("late")), { "grpc-timeout": "20m" }, "DEADLINE_EXCEEDED"],
];

/** Errors of these reasons are ours. All others in the tables are the caller's errors and must not look like a fault of the server. */
const serverFaults = new Set(["INTERNAL", "DEADLINE_EXCEEDED"]);

function request(contentType: string, [, body, headers]: Case): RawRequest {
  const all = { "content-type": contentType, authorization: "Bearer test", "x-request-id": "id-1", ...headers };
  return { body, headers: all };
}

function expectNoEcho(answer: RawAnswer): void {
  expect(JSON.stringify([answer.headers, answer.trailers, answer.body.toString("latin1")])).not.toMatch(/hunter2|secret value/);
}

const anyId = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

describe.each(["http1", "http2"] as const)("Connect over %s", (version) => {
  const cases = [
    ...connectJson.map((it) => ["application/json", it[0], it] as const),
    ...connectProto.map((it) => ["application/proto", it[0], it] as const),
  ];
  it.each(cases)("%s: %s", async (contentType, _, it) => {
    const answer = await send(server, version, request(contentType, it));
    if (it[3] === "") {
      expect(answer.status).toBe(200);
      expect(answer.headers).toMatchObject({ "cache-status": "keywright; hit", "content-type": contentType });
      expect(answer.headers["x-request-id"]).toMatch(it[2]["x-request-id"] === "a b" ? anyId : /^(id-1|abc-1)$/);
    } else {
      expectConnectError(JSON.parse(answer.body.toString()), it[3]);
      expect(answer.status >= 500 && answer.status !== 501).toBe(serverFaults.has(it[3]));
    }
    expectNoEcho(answer);
  });
});

function expectConnectError(error: JsonObject, reason: string): void {
  const details = error.details as { type: string; value: string; debug: JsonObject }[];
  expect(details[0]).toMatchObject({ type: "google.rpc.ErrorInfo", debug: { reason, domain: "keywright" } });
  expect(details[1]).toMatchObject({ type: "google.rpc.RequestInfo", debug: { requestId: "id-1" } });
  expect(fromBinary(ErrorInfoSchema, Buffer.from(details[0]?.value ?? "", "base64")).reason).toBe(reason);
}

describe.each(["http1", "http2"] as const)("gRPC over %s", (version) => {
  it.each(grpc.map((it) => [it[0], it] as const))("%s", async (_, it) => {
    const answer = await send(server, version, request("application/grpc+proto", it));
    expect(answer.status).toBe(200);
    if (it[3] === "") {
      expect(answer.headers).toMatchObject({ "cache-status": "keywright; hit", "content-type": "application/grpc+proto" });
      expect(answer.trailers).toEqual({ "grpc-status": "0" });
      const message = fromBinary(VerifyApiKeyResponseSchema, answer.body.subarray(5));
      expect(message).toMatchObject({ isValid: true, actorId: "grpc", issuer: "127.0.0.1" });
    } else {
      // Trailers-Only: the first frame contains everything.
      expectGrpcError(answer.headers, it[3]);
      expect(["2", "4"].includes(answer.headers["grpc-status"] ?? "") || it[3] === "INTERNAL").toBe(serverFaults.has(it[3]));
      expect([answer.body.length, answer.trailers]).toEqual([0, {}]);
    }
    expectNoEcho(answer);
  });

  it("keeps a thousand violations within the size of trailers that clients accept", async () => {
    const body = envelope(Buffer.from(connectJson.find(([name]) => name === "many problems")?.[1] as string));
    const answer = await send(server, version, request("application/grpc+json", ["", body, {}, ""]));
    expectGrpcError(answer.headers, "INVALID_REQUEST");
    expect(JSON.stringify(answer.headers).length).toBeLessThan(8192);
  });
});

function expectGrpcError(trailers: Record<string, string>, reason: string): void {
  const status = fromBinary(StatusSchema, Buffer.from(trailers["grpc-status-details-bin"] ?? "", "base64"));
  expect(String(status.code)).toBe(trailers["grpc-status"]);
  expect(status.message).toBe(decodeURIComponent(trailers["grpc-message"] ?? ""));
  const [info, requestInfo, badRequest] = status.details;
  expect(info && anyUnpack(info, ErrorInfoSchema)).toMatchObject({ reason, domain: "keywright" });
  expect(requestInfo && anyUnpack(requestInfo, RequestInfoSchema)).toMatchObject({ requestId: trailers["x-request-id"] });
  if (badRequest !== undefined) expect(anyUnpack(badRequest, BadRequestSchema)?.fieldViolations.length).toBeGreaterThan(0);
}

const webForms = ["http1", "http2"].flatMap((version) =>
  ["application/grpc-web", "application/grpc-web-text"].map((type) => [version, type]),
);

describe.each(webForms as [HttpVersion, string][])("gRPC-Web over %s as %s", (version, contentType) => {
  const isText = contentType.endsWith("-text");

  it.each(grpc.map((it) => [it[0], it] as const))("%s", async (_, [name, body, headers, reason]) => {
    const { "content-type": short, ...others } = headers;
    const sent = isText ? Buffer.from(body).toString("base64") : body;
    const type = short === undefined ? `${contentType}+proto` : contentType;
    const answer = await send(server, version, request(type, [name, sent, others, reason]));
    expect([answer.status, answer.headers["content-type"]]).toEqual([200, `${contentType}+proto`]);
    const frames = splitFrames(isText ? Buffer.from(answer.body.toString(), "base64") : answer.body);
    const trailers = trailersOf(frames.at(-1)?.data);
    expect(frames.map(({ flags }) => flags)).toEqual(reason === "" ? [0, 0x80] : [0x80]);
    if (reason === "") expect(trailers).toEqual({ "grpc-status": "0" });
    else expectGrpcError(trailers, reason);
    expectNoEcho(answer);
  });
});

describe("gRPC-Web's text form", () => {
  const call = (body: string): Promise<RawAnswer> => {
    return send(server, "http1", { headers: { "content-type": "application/grpc-web-text", authorization: "Bearer test" }, body });
  };

  it("accepts a body in several parts, each padded", async () => {
    const frame = envelope(proto("k1"));
    const parts = [frame.subarray(0, 4), frame.subarray(4, 5), frame.subarray(5)].map((part) => part.toString("base64"));
    const frames = splitFrames(Buffer.from((await call(parts.join(""))).body.toString(), "base64"));
    expect(fromBinary(VerifyApiKeyResponseSchema, frames[0]?.data as Buffer).keyId).toBe("k1");
  });

  it.each(["AAAAA", "AAAA=", "====", "A===", "AA=A", "AAA*", "AA==".repeat(101)])("refuses %s", async (body) => {
    const frames = splitFrames(Buffer.from((await call(body)).body.toString(), "base64"));
    expectGrpcError(trailersOf(frames.at(-1)?.data), "MALFORMED_BODY");
  });
});

function trailersOf(frame: Buffer | undefined): Record<string, string> {
  const lines = (frame ?? Buffer.alloc(0)).toString().split("\r\n").filter(Boolean);
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
}

/** The outcome of one request, whichever lane serves it. */
describe("on every lane", () => {
  const askAll = async (credential: string, headers: Record<string, string> = {}): Promise<Record<string, string | undefined>[]> => {
    const common = { authorization: "Bearer test", "x-request-id": "id-1", ...headers };
    const connect = await send(server, "http1", {
      headers: { "content-type": "application/json", ...common },
      body: JSON.stringify({ credential }),
    });
    const grpcAnswer = await send(server, "http2", {
      headers: { "content-type": "application/grpc", ...common },
      body: envelope(proto(credential)),
    });
    const web = await send(server, "http1", {
      headers: { "content-type": "application/grpc-web", ...common },
      body: envelope(proto(credential)),
    });
    const webTrailers = trailersOf(splitFrames(web.body).at(-1)?.data);
    return [
      { ...connect.headers, message: JSON.parse(connect.body.toString()).message },
      { ...grpcAnswer.headers, message: decodeURIComponent(grpcAnswer.headers["grpc-message"] ?? "") },
      { ...web.headers, ...webTrailers, message: decodeURIComponent(webTrailers["grpc-message"] ?? "") },
    ];
  };

  it.each([
    ["violation", {}],
    ["unknown", {}],
    ["bug", {}],
    ["unwritable", {}],
    ["k1", { authorization: "" }],
  ] as const)("the failure of %s has the same text and headers", async (credential, headers) => {
    const [first, ...others] = await askAll(credential, headers);
    expect(first?.message).not.toBe("");
    for (const other of others) {
      for (const name of ["message", "x-request-id", "cache-status", "www-authenticate"])
        expect([name, other[name]]).toEqual([name, first?.[name]]);
    }
  });
});

function splitFrames(body: Buffer): { flags: number; data: Buffer }[] {
  const frames: { flags: number; data: Buffer }[] = [];
  for (let at = 0; at < body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    frames.push({ flags: body[at] as number, data: body.subarray(at + 5, end) });
    at = end;
  }
  return frames;
}

describe.each(["http1", "http2"] as const)("requests that are not calls, over %s", (version) => {
  const path = "/keywright.v2alpha1.ApiKeysService/Nothing";
  it("return UNIMPLEMENTED in the caller's protocol for an unknown method", async () => {
    const json = await send(server, version, { path, headers: { "content-type": "application/json", "x-request-id": "id-1" }, body: "{}" });
    expect(json.status).toBe(501);
    expectConnectError(JSON.parse(json.body.toString()), "UNIMPLEMENTED");
    const get = await send(server, version, {
      method: "GET",
      path: `${path}?encoding=json&message=%7B%7D`,
      headers: { "x-request-id": "id-1" },
    });
    expect(get.status).toBe(501);
    expectConnectError(JSON.parse(get.body.toString()), "UNIMPLEMENTED");
    const rpc = await send(server, version, { path, headers: { "content-type": "application/grpc" }, body: envelope(proto("x")) });
    expectGrpcError({ ...rpc.headers, ...rpc.trailers }, "UNIMPLEMENTED");
    const stream = await send(server, version, {
      path,
      headers: { "content-type": "application/connect+json" },
      body: envelope(Buffer.from("{}")),
    });
    expect(stream.status).toBe(200);
    expect(JSON.parse(splitFrames(stream.body).at(-1)?.data.toString() ?? "")).toMatchObject({ error: { code: "unimplemented" } });
    const web = await send(server, version, { path, headers: { "content-type": "application/grpc-web" }, body: envelope(proto("x")) });
    expect(web.body.toString("latin1")).toContain("grpc-status: 12");
  });

  it.each([
    ["GET", 405, "POST"],
    ["PUT", 405, "POST"],
    ["OPTIONS", 405, "POST"],
    ["HEAD", 405, "POST"],
  ])("%s on a method with side effects returns %i", async (method, status, allow) => {
    const answer = await send(server, version, { method, headers: { "x-request-id": "id-1" } });
    expect(answer.status).toBe(status);
    expect(answer.headers.allow).toBe(allow);
    if (method === "HEAD") expect(answer.body.length).toBe(0);
    else expectConnectError(JSON.parse(answer.body.toString()), "METHOD_NOT_ALLOWED");
  });

  it("Connect GET works only for methods without side effects", async () => {
    const get = (query: string) =>
      send(server, version, {
        method: "GET",
        path: `/keywright.v2alpha1.ApiKeysService/AdminGetIssuedApiKey?${query}`,
        headers: { authorization: "Bearer test", "x-request-id": "id-1" },
      });
    const answer = await get(`connect=v1&encoding=json&message=${encodeURIComponent('{"keyId":"k7"}')}`);
    expect([answer.status, JSON.parse(answer.body.toString())]).toEqual([200, { keyId: "k7", name: "a key" }]);
    for (const message of ["base64=1&message=CgJrNw", "%62ase64=1&%6Dess%61ge=CgJrNw", "message=%0A%02k7", "%6dessage=%0A%02k7&x"]) {
      expect((await get(`encoding=proto&${message}`)).body.toString(), message).toContain("k7");
      expect((await get(`?${message}&enc%6Fding=proto`)).body.toString(), message).toContain("k7");
    }
    const zipped = gzipSync('{"keyId":"k7"}').toString("base64url");
    expect((await get(`encoding=json&base64=1&compression=gzip&message=${zipped}`)).status).toBe(200);
    for (const [query, status, reason] of [
      ["encoding=json&message=%7B", 400, "MALFORMED_BODY"],
      ["encoding=json&message=%7B%22hunter2%22%3A1%7D", 400, "INVALID_REQUEST"],
      ["encoding=proto&base64=1&message=!!!!", 400, "MALFORMED_BODY"],
      ["encoding=proto&message=%FF%FF", 400, "MALFORMED_BODY"],
      ["encoding=json&compression=zip&message=%7B%7D", 501, "UNIMPLEMENTED"],
      ["connect=v2&encoding=json&message=%7B%7D", 400, "INVALID_REQUEST"],
      ["connect=v1&connect=v1&encoding=json&message=%7B%7D", 400, "INVALID_REQUEST"],
      ["encoding=json&message=%7B%7D&message=%7B%22keyId%22%3A%22k7%22%7D", 400, "INVALID_REQUEST"],
      ["encoding=json&encoding=proto&message=%7B%7D", 400, "INVALID_REQUEST"],
      ["encoding=json&message=%7B%7D&%6Dessage=%7B%22keyId%22%3A%22k7%22%7D", 400, "INVALID_REQUEST"],
      ["encoding=proto&%6Dessage=%FF%FF", 400, "MALFORMED_BODY"],
      ["encoding=json&c%6Fmpression=zip&message=%7B%7D", 501, "UNIMPLEMENTED"],
      ["c%6Fnnect=v2&encoding=json&message=%7B%7D", 400, "INVALID_REQUEST"],
      ["encoding=proto", 400, "INVALID_REQUEST"],
      ["encoding=xml&message=", 415, "UNSUPPORTED_MEDIA_TYPE"],
      ["", 415, "UNSUPPORTED_MEDIA_TYPE"],
    ] as const) {
      const refused = await get(query);
      expect([query, refused.status]).toEqual([query, status]);
      expectConnectError(JSON.parse(refused.body.toString()), reason);
    }
  });

  it("bodies may have 16 MiB for a batch import, and 1 MiB elsewhere", async () => {
    const path = "/keywright.v2alpha1.ApiKeysService/AdminBatchImportApiKeys";
    const raw = { path, headers: { "content-type": "application/json", authorization: "Bearer test" } };
    const padded = `{}${" ".repeat(16 * mebibyte - 2)}`;
    expect((await send(server, version, { ...raw, body: padded })).status).toBe(200);
    expect((await send(server, version, { ...raw, body: `${padded} ` })).status).toBe(429);
    expect((await send(server, version, { ...raw, path: verifyPath, body: `{}${" ".repeat(mebibyte - 1)}` })).status).toBe(429);
  });
});

it("recognises its requests by the path, or because they can only be calls", () => {
  const isRpc = (path: string, headers: Record<string, string> = {}): boolean => server.rpc.isRpc(path, { headers });
  expect(isRpc(verifyPath)).toBe(true);
  expect(isRpc("/keywright.v2alpha1.ApiKeysService/Nothing?x=/y")).toBe(true);
  for (const path of ["/", "", "/v2alpha1/admin/apiKeys:verify", "/keywright.v2alpha1.ApiKeysService", "//", "/other.Service/X", "*"]) {
    expect([path, isRpc(path)]).toEqual([path, false]);
    expect([path, isRpc(path, { "content-type": "Application/grpc+proto" })]).toEqual([path, true]);
    expect([path, isRpc(path, { "connect-protocol-version": "1" })]).toEqual([path, path === "/other.Service/X"]);
  }
});

it("only our own faults are reported, with their cause", () => {
  const texts = server.seen.reported.map(String);
  expect(texts.filter((text) => text.includes("secret value")).length).toBeGreaterThan(0);
  expect(texts.filter((text) => /rate_limit_remaining|cannot encode/.test(text)).length).toBeGreaterThan(0);
  expect(texts.filter((text) => !/secret value|rate_limit_remaining|cannot encode/.test(text))).toEqual([]);
});
