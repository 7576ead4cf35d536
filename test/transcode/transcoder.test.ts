import { connect as tcpConnect } from "node:net";
import type { DescMethodUnary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createJsonReader, type JsonReader } from "../../src/protojson/read.ts";
import { createTranscoder } from "../../src/transcode/transcoder.ts";
import {
  type Answer,
  libraryTranscoder,
  listen,
  maxBytes,
  send,
  send2,
  serviceNamed,
  type TestServer,
  tableOf,
  testBodies,
} from "./library.ts";

let server: TestServer;
let lenient: TestServer;
let server2: TestServer;

beforeAll(async () => {
  server = await listen(libraryTranscoder());
  lenient = await listen(libraryTranscoder("ignore"));
  server2 = await listen(libraryTranscoder(), 2);
});
afterAll(() => Promise.all([server.close(), lenient.close(), server2.close()]));

const get = (path: string) => send(server.port, "GET", path);
const post = (path: string, body?: unknown) => send(server.port, "POST", path, body);

function violationsOf(answer: Answer): [string, string][] {
  const detail = answer.json.details.find((each: { "@type": string }) => each["@type"].endsWith("BadRequest"));
  return (detail?.field_violations ?? []).map((v: { field?: string; description: string }) => [v.field ?? "", v.description]);
}

describe("path variables", () => {
  test.each<[string, unknown]>([
    ["/v1/texts/a", { text: "a" }],
    ["/v1/texts/a%20b", { text: "a b" }],
    ["/v1/texts/a+b", { text: "a+b" }],
    ["/v1/texts/a%2Fb%2fc", { text: "a/b/c" }],
    ["/v1/texts/a%3Averify", { text: "a:verify" }],
    ["/v1/texts/%C3%A9%F0%9F%98%80", { text: "é😀" }],
    ["/v1/texts/%2525", { text: "%25" }],
    ["/v1/texts/!$&'()*+,;=@~", { text: "!$&'()*+,;=@~" }],
    ["/v1/texts/special", {}],
    ["/v1/typed/-7/9007199254740993/true/COLOR_BLUE/AQI=/1.5", { small_int: -7, big_int: "9007199254740993", flag: true, color: "COLOR_BLUE", data: "AQI=", small_float: 1.5 }], // biome-ignore format: a row
    ["/v1/typed/0/0/false/2/_-8/NaN", { color: "COLOR_BLUE", data: "/+8=", small_float: "NaN" }],
    ["/v1/deep/x", { child: { child: { text: "x" } } }],
    ["/v1/named/x", { by_name: "x" }],
    ["/v1/shelves/1/books/2", { text: "shelves/1/books/2" }],
    ["/v1/shelves/a%2Fb%2fc%20d/books/%252F", { text: "shelves/a%2Fb%2fc d/books/%2F" }],
    ["/v1/files", {}],
    ["/v1/files/a", { text: "a" }],
    ["/v1/files/a/b%2Fc/d%3Ae", { text: "a/b%2Fc/d:e" }],
    ["/v1/tree/a/1/b/2/3:stat", { text: "a/1/b/2/3" }],
    ["/v1/tree/a/1/b:stat", { text: "a/1/b" }],
    ["/v1/literal/only", { text: "only" }],
    ["/v1/plain/1/star/2/3", {}],
    ["/v1/plain/1/star", {}],
  ])("%s", async (path, json) => {
    const answer = await get(path);
    expect(answer.json).toEqual(json);
    expect(answer.status).toBe(200);
  });

  test.each<[string, [string, string][]]>([
    ["/v1/texts/%", [["text", "is not valid percent-encoding in the path"]]],
    ["/v1/texts/%2", [["text", "is not valid percent-encoding in the path"]]],
    ["/v1/texts/%zz", [["text", "is not valid percent-encoding in the path"]]],
    ["/v1/texts/%ff", [["text", "is not valid percent-encoding in the path"]]],
    ["/v1/texts/%c0%af", [["text", "is not valid percent-encoding in the path"]]],
    ["/v1/texts/%ed%a0%80", [["text", "is not valid percent-encoding in the path"]]],
    ["/v1/files/a/%zz", [["text", "is not valid percent-encoding in the path"]]],
    ["/v1/typed/x/y/z/RED/*/w", [
      ["small_int", "must be an integer from -2147483648 to 2147483647"],
      ["big_int", "must be an integer of 64 bits"],
      ["flag", "must be true or false"],
      ["color", "must be one of COLOR_RED, COLOR_BLUE"],
      ["data", "must be a base64 string"],
      ["small_float", "must be a number that fits 32 bits"],
    ]], // biome-ignore format: a row
  ])("%s returns 400", async (path, violations) => {
    const answer = await get(path);
    expect(answer.status).toBe(400);
    expect(violationsOf(answer)).toEqual(violations);
  });

  test.each([
    "/v1/texts/",
    "/v1/texts/.",
    "/v1/texts/..",
    "/v1/texts/%2e%2e",
    "/v1/texts/a/",
    "//v1/texts/a",
    "/v1//texts/a",
    "/v1/./texts/a",
    "/v1/files/a//b",
    "/v1/files/../texts/a",
    "/v1/files/",
    "/v1/literal/other",
    "/v1/query:",
    "/v1/%71uery",
    "/",
  ])("%s returns 404", async (path) => {
    expect((await get(path)).status).toBe(404);
  });

  test("verbs", async () => {
    expect((await post("/v1/texts/a:rotate", { flag: true })).json).toEqual({ text: "a", flag: true });
    expect((await post("/v1/texts/a%3Arotate:rotate", {})).json).toEqual({ text: "a:rotate" });
    expect((await post("/v1/texts:verify", { text: "x" })).json).toEqual({ text: "x" });
    expect((await post("/v1/texts/a:turn", {})).status).toBe(404);
  });

  test("absolute-form targets lose only their authority", async () => {
    expect((await get("http://example.test/v1/texts/a?flag=true")).json).toEqual({ text: "a", flag: true });
    expect((await get("http://example.test")).status).toBe(404);
  });
});

describe("query parameters", () => {
  test.each<[string, unknown]>([
    ["text=a+b%2B%26", { text: "a b+&" }],
    ["text", {}],
    ["text=a=b", { text: "a=b" }],
    ["&&text=a&", { text: "a" }],
    ["flag=true&small_int=-1&bigInt=9007199254740993", { flag: true, small_int: -1, big_int: "9007199254740993" }],
    ["flag=false&small_uint=1&big_uint=18446744073709551615", { small_uint: 1, big_uint: "18446744073709551615" }],
    ["small_float=1.5&big_float=1e3", { small_float: 1.5, big_float: 1000 }],
    ["data=_-8", { data: "/+8=" }],
    ["data=%2F%2B8%3D", { data: "/+8=" }],
    ["color=COLOR_RED", { color: "COLOR_RED" }],
    ["color=2", { color: "COLOR_BLUE" }],
    ["texts=a&texts=b&texts=", { texts: ["a", "b", ""] }],
    ["numbers=1&numbers=2&colors=1&colors=COLOR_BLUE", { numbers: [1, 2], colors: ["COLOR_RED", "COLOR_BLUE"] }],
    ["child.text=x&child.child.smallInt=4", { child: { text: "x", child: { small_int: 4 } } }],
    ["wrapped_text=x&wrapped_int=0&wrappedFlag=false&wrapped_data=AQI", { wrapped_text: "x", wrapped_int: "0", wrapped_flag: false, wrapped_data: "AQI=" }], // biome-ignore format: a row
    ["at=2024-01-02T03:04:05Z&times=2024-01-02T03:04:05Z", { at: "2024-01-02T03:04:05Z", times: ["2024-01-02T03:04:05Z"] }],
    ["lasts=1h30m&pauses=1d&pauses=2s", { lasts: "5400s", pauses: ["86400s", "2s"] }],
    ["mask=rate_limit,name", { mask: "rateLimit,name" }],
    ["mask=rateLimit%2Cname", { mask: "rateLimit,name" }],
    ["maybe_text=&maybe_int=0", { maybe_text: "", maybe_int: "0" }],
    ["by_id=3", { by_id: 3 }],
    ["constructor=c&child.constructor=d", { constructor: "c", child: { constructor: "d" } }],
  ])("%s", async (query, json) => {
    const answer = await get(`/v1/query?${query}`);
    expect(answer.json).toEqual(json);
    expect(answer.status).toBe(200);
  });

  test.each<[string, [string, string][]]>([
    ["nope=1", [["nope", "unknown query parameter"]]],
    ["child.nope=1&=x", [["child.nope", "unknown query parameter"], ["", "has a query parameter without a name"]]],
    ["text.x=1", [["text.x", "unknown query parameter"]]],
    ["at.seconds=1", [["at.seconds", "unknown query parameter"]]],
    ["children.text=1", [["children.text", "unknown query parameter"]]],
    ["__proto__=1&__proto__.x=1", [["__proto__", "unknown query parameter"], ["__proto__.x", "unknown query parameter"]]],
    ["text=a&text=a", [["text", "is given twice"]]],
    ["small_int=1&smallInt=1", [["small_int", "is given twice"]]],
    ["child={}&children={}&tags={}&anything=1&list=1&counts=1", ["child", "children", "tags", "anything", "list", "counts"].map((name) => [name, "cannot be a query parameter"])],
    ["text=%zz", [["text", "is not valid percent-encoding"]]],
    ["%zz=1", [["", "has a query parameter whose name is not validly percent-encoded"]]],
    ["small_int=x&flag=yes&color=RED", [
      ["small_int", "must be an integer from -2147483648 to 2147483647"],
      ["flag", "must be true or false"],
      ["color", "must be one of COLOR_RED, COLOR_BLUE"],
    ]],
    ["lasts=soon&mask=a_1", [
      ["lasts", "must be a duration such as 3600s, 1h30m or 30d"],
      ["mask", "must be a string of field names separated by commas"],
    ]],
    ["by_name=a&by_id=1", [["by_id", "cannot be given together with by_name"]]],
  ])("%s returns 400", async (query, violations) => {
    const answer = await get(`/v1/query?${query}`);
    expect(answer.status).toBe(400);
    expect(violationsOf(answer)).toEqual(violations);
  }); // biome-ignore format: rows

  test("fields of the path and of the body are not parameters", async () => {
    expect(violationsOf(await get("/v1/texts/a?text=b"))).toEqual([["text", "is taken from the path and cannot be a query parameter"]]);
    expect(violationsOf(await send(server.port, "PATCH", "/v1/shelves/a?shelf.theme=b", {}))).toEqual([
      ["shelf.theme", "is taken from the body and cannot be a query parameter"],
    ]);
    expect(violationsOf(await post("/v1/query?text=b&x=1", {}))).toEqual([
      ["text", "is taken from the body and cannot be a query parameter"],
      ["x", "unknown query parameter"],
    ]);
    expect((await get("/v1/deep/x?child.text=y")).json).toEqual({ child: { text: "y", child: { text: "x" } } });
  });

  test("unknown parameters can be ignored, bound ones never", async () => {
    expect((await send(lenient.port, "GET", "/v1/query?x=1&text=a")).json).toEqual({ text: "a" });
    expect((await send(lenient.port, "GET", "/v1/texts/a?text=b")).status).toBe(400);
  });

  test("nesting has a limit", async () => {
    const answer = await get(`/v1/query?${"child.".repeat(1000)}text=a`);
    expect(answer.status).toBe(400);
    expect((await get(`/v1/query?${"child.".repeat(90)}text=a`)).status).toBe(200);
  });
});

describe("bodies", () => {
  const patch = (path: string, body?: unknown) => send(server.port, "PATCH", path, body);

  test("can be the field alone or the whole request, with the mask in the query or the body", async () => {
    const expected = { shelf: { shelf_id: "a", theme: "t" }, update_mask: "theme" };
    expect((await patch("/v1/shelves/a?update_mask=theme", { theme: "t" })).json).toEqual(expected);
    expect((await patch("/v1/shelves/a?updateMask=theme", { shelf: { theme: "t" } })).json).toEqual(expected);
    expect((await patch("/v1/shelves/a", { shelf: { shelf_id: "a", theme: "t" }, update_mask: "theme" })).json).toEqual(expected);
    expect((await patch("/v1/shelves/a?force=true", { shelf: null })).json).toEqual({ shelf: { shelf_id: "a" }, force: true });
  });

  test("a mask in both is refused", async () => {
    expect(violationsOf(await patch("/v1/shelves/a?update_mask=theme", { shelf: {}, updateMask: "theme" }))).toEqual([
      ["update_mask", "is taken from the body and cannot be a query parameter"],
    ]);
  });

  test("a field that has a member of its own name is never treated as the whole request", async () => {
    expect((await patch("/v1/books/a", { big_book: "x" })).json).toEqual({ big_book: { book_id: "a", big_book: "x" } });
    expect((await patch("/v1/books/a", { bigBook: "x" })).json).toEqual({ big_book: { book_id: "a", big_book: "x" } });
  });

  test("an empty body is an empty object", async () => {
    expect((await patch("/v1/shelves/a")).json).toEqual({ shelf: { shelf_id: "a" } });
    expect((await post("/v1/texts/a:rotate")).json).toEqual({ text: "a" });
    expect((await post("/v1/query", "")).json).toEqual({});
  });

  test("a value in the body that differs from the path is refused, and the same value is accepted", async () => {
    const differs = "has another value in the body than in the path";
    expect(violationsOf(await patch("/v1/shelves/a", { shelf_id: "b" }))).toEqual([["shelf.shelf_id", differs]]);
    expect(violationsOf(await patch("/v1/shelves/a", { shelf: { shelfId: "b" } }))).toEqual([["shelf.shelf_id", differs]]);
    expect(violationsOf(await post("/v1/texts/a/7", { text: "b", big_int: 8 }))).toEqual([["text", differs], ["big_int", differs]]); // biome-ignore format: a row
    expect((await post("/v1/texts/a/7", { text: "a", big_int: "7" })).json).toEqual({ text: "a", big_int: "7" });
    expect((await send(server.port, "PUT", "/v1/bytes/AQI", { data: "AQI=" })).status).toBe(200);
    expect(violationsOf(await send(server.port, "PUT", "/v1/bytes/AQI", { data: "AQM=" }))).toEqual([["data", differs]]);
    expect(violationsOf(await post("/v1/named/a", { by_id: 1 }))).toEqual([["by_name", "cannot be given together with what the body has"]]);
  });

  test("problems have paths from the request message", async () => {
    expect(violationsOf(await patch("/v1/shelves/a", { theme: 1, x: 1 }))).toEqual([
      ["shelf.theme", "must be a string"],
      ["shelf.x", "is not a field of Shelf"],
    ]);
    expect(violationsOf(await patch("/v1/shelves/a", []))).toEqual([["shelf", "must be a JSON object"]]);
    expect(violationsOf(await post("/v1/query", "null"))).toEqual([["", "must be a JSON object"]]);
  });

  test("body and response_body can be lists, scalars and messages", async () => {
    expect((await post("/v1/lists", ["a", "b"])).json).toEqual(["a", "b"]);
    expect((await post("/v1/lists", [])).json).toEqual([]);
    expect((await post("/v1/scalars", 7)).json).toBe("7");
    expect((await post("/v1/scalars", 0)).json).toBe("0");
    expect((await post("/v1/plains", { size: 1 })).json).toEqual({ size: 1 });
    expect(violationsOf(await post("/v1/plains", "null"))).toEqual([["by_plain", "must be a JSON object"]]);
  });

  test("presence masks omit fields that the path binds", async () => {
    expect((await post("/v1/masked/1:rotate", { id: "1", scopes: [], plain: null })).json).toEqual({ id: "1", override_mask: "scopes" });
    expect((await post("/v1/masked/1:rotate")).json).toEqual({ id: "1", override_mask: "" });
  });

  test.each<[string, string, unknown]>([
    ["GET", "/v1/query", {}],
    ["DELETE", "/v1/things/a", {}],
    ["POST", "/v1/nobody", {}],
    ["GET", "/v1/query", "x".repeat(1_000_000)],
  ])("%s %s takes no body", async (method, path, body) => {
    const answer = await send(server.port, method, path, body).catch((error: NodeJS.ErrnoException) => error.code);
    if (typeof answer === "object")
      expect(answer).toMatchObject({ status: 400, json: { message: "this method does not accept a request body" } });
    else expect(["EPIPE", "ECONNRESET"]).toContain(answer);
  });

  test("chunked bodies are refused if none is accepted, unless they are empty", async () => {
    const chunked = (chunks: string) => rawRequest(`GET /v1/query HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${chunks}`);
    expect(await chunked("2\r\n{}\r\n0\r\n\r\n")).toMatch(/^HTTP\/1.1 400 [\s\S]*this method does not accept a request body/);
    const empty = `0\r\n\r\nGET /v1/texts/next HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`;
    expect(await chunked(empty)).toMatch(/^HTTP\/1.1 200 [\s\S]*HTTP\/1.1 200 [\s\S]*"next"/);
  });

  test.each<[string | undefined, Record<string, string>, number]>([
    ["application/json", {}, 200],
    ["Application/JSON", {}, 200],
    ["application/json; charset=utf-8", {}, 200],
    ['application/json;charset="UTF-8"; x=y', {}, 200],
    ["application/json; charset=utf8", {}, 200],
    ["Application/JSON ; Charset = UTF8", {}, 200],
    ["application/json;", {}, 200],
    ["application/json; ; charset=", {}, 200],
    ['application/json; q="a;charset=latin1"; charset=utf-8', {}, 200],
    ["application/merge-patch+json", {}, 200],
    ["application/vnd.a+b+json", {}, 200],
    ["application/json; charset=latin1", {}, 415],
    ["application/jsonx", {}, 415],
    ["application/+json", {}, 415],
    ["text/json", {}, 415],
    ["application/x-www-form-urlencoded", {}, 415],
    ["application/grpc", {}, 415],
    ["", {}, 415],
    ["application/json", { "content-encoding": "identity" }, 200],
    ["application/json", { "content-encoding": "gzip" }, 415],
  ])("content-type %s %j", async (contentType, headers, status) => {
    const answer = await send(server.port, "POST", "/v1/query", '{"text":"a"}', { "content-type": contentType, ...headers });
    expect(answer.status).toBe(status);
    if (status !== 415) return;
    expect(answer.json.details[0].reason).toBe("UNSUPPORTED_MEDIA_TYPE");
    const [accept, encoding] = "content-encoding" in headers ? [undefined, "identity"] : ["application/json", undefined];
    expect([answer.headers.accept, answer.headers["accept-encoding"]]).toEqual([accept, encoding]);
    expect(answer.json.message.endsWith("in UTF-8")).toBe(String(contentType).includes("charset"));
  });

  test("without a content-type it is refused, unless it is empty", async () => {
    const bare = (body: string) =>
      rawRequest(`POST /v1/query HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    expect(await bare("{}")).toMatch(/^HTTP\/1.1 415 /);
    expect(await bare("")).toMatch(/^HTTP\/1.1 200 /);
  });

  test.each<[string, string | Uint8Array, string]>([
    ["text", '{"text": secret}', "it is not valid JSON at line 1, column 10"],
    ["cut short", '{"text": "sec', "it is not valid JSON at line 1, column 14"],
    ["second line", '{\n "a": 1,\n}', "it is not valid JSON at line 3, column 1"],
    ["UTF-8", Buffer.from([0x22, 0xef, 0xbf, 0xbd, 0xc3, 0x28, 0x22]), "it is not valid UTF-8 at byte 4"],
  ])("malformed: %s", async (_name, body, message) => {
    const answer = await post("/v1/query", body);
    expect(answer.status).toBe(400);
    expect(answer.json.message).toBe(`the request body cannot be read: ${message}`);
    expect(answer.json.details[0].reason).toBe("MALFORMED_BODY");
    expect(answer.body).not.toContain("sec");
  });

  test("deep nesting returns 400", async () => {
    for (const [open, close] of [
      ["[", "]"],
      ['{"a":', "}"],
    ] as const) {
      const deep = `${open.repeat(10_000)}1${close.repeat(10_000)}`;
      expect((await post("/v1/query", `{"tags":{"a":${deep}}}`)).status).toBe(400);
      expect((await post("/v1/query", open.repeat(20_000))).json.details[0].reason).toBe("INVALID_REQUEST");
    }
  });
});

describe("too large bodies", () => {
  const tooLarge = JSON.stringify({ text: "x".repeat(maxBytes) });

  test.each([
    ["content-length", `content-length: ${tooLarge.length}\r\n\r\n`],
    ["content-length and the body", `content-length: ${tooLarge.length}\r\n\r\n${tooLarge}`],
    ["chunked", `transfer-encoding: chunked\r\n\r\n${tooLarge.length.toString(16)}\r\n${tooLarge}\r\n0\r\n\r\n`],
  ])("HTTP/1.1, %s: 413 and the end of the connection", async (_name, rest) => {
    const text = await rawRequest(`POST /v1/query HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${rest}`);
    expect(text).toMatch(/^HTTP\/1.1 413 /);
    expect(text).toMatch(/\r\nconnection: close\r\n/i);
    expect(text).toContain("BODY_TOO_LARGE");
  });

  test("HTTP/2: 413", async () => {
    const answer = await send2(server2.port, "POST", "/v1/query", tooLarge, { "content-type": "application/json" });
    expect(answer.status).toBe(413);
  });
});

describe("methods", () => {
  test("405 with Allow, and OPTIONS", async () => {
    const answer = await send(server.port, "DELETE", "/v1/query");
    expect(answer.status).toBe(405);
    expect(answer.headers.allow).toBe("GET, HEAD, OPTIONS, POST");
    expect(answer.json.details[0].reason).toBe("METHOD_NOT_ALLOWED");
    const options = await send(server.port, "OPTIONS", "/v1/texts/a:rotate");
    expect([options.status, options.headers.allow, options.body]).toEqual([204, "OPTIONS, POST", ""]);
    expect(options.headers["x-request-id"]).toBeDefined();
    expect((await send(server.port, "OPTIONS", "/v2")).status).toBe(404);
  });

  test("HEAD is GET without the body", async () => {
    const [head, whole] = [await send(server.port, "HEAD", "/v1/texts/a"), await get("/v1/texts/a")];
    expect(head).toMatchObject({ status: 200, body: "" });
    expect(head.headers["content-length"]).toBe(whole.headers["content-length"]);
    expect(await send(server.port, "HEAD", "/v1/nothing")).toMatchObject({ status: 404, body: "" });
  });

  test("custom kinds", async () => {
    expect((await send(server.port, "PURGE", "/v1/cache/a")).json).toEqual({ display_name: "a" });
    expect((await send(server.port, "PROPFIND", "/v1/any/a")).json).toEqual({ display_name: "a" });
    expect((await send(server.port, "OPTIONS", "/v1/any/a")).json).toEqual({ display_name: "a" });
    expect((await get("/v1/any/fixed")).json).toEqual({});
    expect((await post("/v1/any/fixed")).json).toEqual({ display_name: "fixed" });
  });

  test("201 with Location, 204 without a body", async () => {
    const created = await post("/v1/things", { display_name: "a", size: 1 });
    expect([created.status, created.headers.location, created.json]).toEqual([201, "/v1/things/a", { display_name: "a", size: 1 }]);
    const removed = await send(server.port, "DELETE", "/v1/things/a");
    expect([removed.status, removed.body]).toEqual([204, ""]);
    expect(removed.headers).not.toHaveProperty("content-length");
    expect(removed.headers).not.toHaveProperty("content-type");
  });
});

describe("headers and errors", () => {
  test("of a success", async () => {
    const answer = await send(server.port, "GET", "/v1/texts/%C3%A9", undefined, { "x-request-id": "abc" });
    expect(answer.headers).toMatchObject({
      "content-type": "application/json",
      "content-length": String(Buffer.byteLength(answer.body)),
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "x-request-id": "abc",
    });
    expect((await get("/v1/texts/header")).headers["cache-control"]).toBe("max-age=60");
  });

  test("a failure is google.rpc.Status and the AIP-193 error object", async () => {
    const answer = await send(server.port, "GET", "/v1/texts/fail:KEY_NOT_FOUND".replace("fail:", "fail%3A"), undefined, {
      "x-request-id": "abc",
    });
    const details = [
      { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "KEY_NOT_FOUND", domain: "keywright" },
      { "@type": "type.googleapis.com/google.rpc.RequestInfo", request_id: "abc" },
    ];
    const message = "no key found";
    expect(answer.status).toBe(404);
    expect(answer.json).toEqual({ code: 5, message, details, error: { code: 404, status: "NOT_FOUND", message, details } });
    expect(answer.headers).toMatchObject({ "content-type": "application/json", "cache-control": "no-store", "x-request-id": "abc" });
  });

  test("an error that is not a Failure reveals nothing", async () => {
    const answer = await get("/v1/texts/crash");
    expect(answer.status).toBe(500);
    expect(answer.json).toMatchObject({ code: 13, message: "internal error", error: { code: 500, status: "INTERNAL" } });
    expect(answer.body).not.toContain("secret");
  });

  test("no route", async () => {
    const answer = await get("/v1/nothing");
    expect(answer.status).toBe(404);
    expect(answer.json.details[0].reason).toBe("ROUTE_NOT_FOUND");
    expect(answer.json.details[1].request_id).toBe(answer.headers["x-request-id"]);
  });
});

describe("HTTP/2", () => {
  test("the same answers", async () => {
    expect(await send2(server2.port, "GET", "/v1/texts/a?flag=true")).toMatchObject({ status: 200, json: { text: "a", flag: true } });
    const json = { "content-type": "application/json" };
    expect(await send2(server2.port, "POST", "/v1/query", { text: "a" }, json)).toMatchObject({ status: 200, json: { text: "a" } });
    expect(await send2(server2.port, "GET", "/v1/query", "{}")).toMatchObject({ status: 400 });
    expect(await send2(server2.port, "HEAD", "/v1/texts/a")).toMatchObject({ status: 200, body: "" });
    expect(await send2(server2.port, "DELETE", "/v1/things/a")).toMatchObject({ status: 204, body: "" });
    expect(await send2(server2.port, "GET", "/v1/nothing")).toMatchObject({ status: 404 });
    expect(await send2(server2.port, "GET", "/v1/texts/crash")).toMatchObject({ status: 500 });
  });
});

describe("callers that disconnect", () => {
  test("before the body is complete, or before the response is ready, break nothing", async () => {
    const gone = async (text: string) => {
      const socket = tcpConnect(server.port, "127.0.0.1");
      const { begun, ended } = { ...server.requests };
      socket.write(text);
      await expect.poll(() => server.requests.begun).toBe(begun + 1);
      socket.destroy();
      await expect.poll(() => server.requests.ended).toBe(ended + 1);
    };
    await gone('POST /v1/query HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"te');
    await gone("GET /v1/texts/late HTTP/1.1\r\nhost: x\r\n\r\n");
    // It is ready after the one before it.
    expect((await get("/v1/texts/late")).status).toBe(200);
  });

  test("a kept connection continues after a refused request", async () => {
    const refused = "POST /v1/nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nabcde";
    const text = await rawRequest(`${refused}GET /v1/texts/next HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
    expect(text).toMatch(/^HTTP\/1.1 404 [\s\S]*HTTP\/1.1 200 [\s\S]*"next"/);
  });
});

describe("start-up", () => {
  const json = createJsonReader({ unknownFields: "reject", presenceMasks: new Map() });
  const broken = serviceNamed("broken.v1.Broken");

  test("refuses wrong rules, all at once", () => {
    const foreign = serviceNamed("library.v1.Library").method.query as DescMethodUnary;
    const rest = new Map([[broken.method.restOnly as DescMethodUnary, { status: 201 as const }], [foreign, { status: 204 as const }]]); // biome-ignore format: a row
    const create = () =>
      createTranscoder({
        methods: tableOf(broken),
        admit: () => {},
        json,
        bodies: testBodies,
        rest,
        trustedProxies: [],
        maxBytes: () => 1,
        reportError: () => {},
      });
    let message = "";
    try {
      create();
    } catch (error) {
      message = String(error);
    }
    const rpc = (name: string) => `rpc broken.v1.Broken.${name}: `;
    expect(message.split("\n")).toEqual([
      "Error: google.api.http rules:",
      `${rpc("Unknown")}sample.v1.Everything has no field "nope" for the path`,
      `${rpc("UnknownNested")}sample.v1.Everything has no field "child.nope" for the path`,
      `${rpc("CamelCase")}sample.v1.Everything has no field "smallInt" for the path`,
      `${rpc("Repeated")}"texts" is not a scalar and cannot be in the path`,
      `${rpc("MessageVariable")}"child" is not a scalar and cannot be in the path`,
      `${rpc("ThroughList")}sample.v1.Everything has no field "children.text" for the path`,
      `${rpc("BoundTwice")}"text" is bound twice at column 13 of "/v1/{text}/{text}"`,
      `${rpc("NoBody")}body: no field "nope" found`,
      `${rpc("NestedBody")}body: no field "child.text" found`,
      `${rpc("BodyInPath")}"text" is in the path and the body`,
      `${rpc("GetBody")}GET /v1/getbody: GET has no body`,
      `${rpc("ResponseBody")}response_body: no field "nope" found`,
      `${rpc("Second")}GET /v1/twice/{by_name}: another rule has this path`,
      `${rpc("Empty")}a rule without a path`,
      `${rpc("Kind")}"NOT A TOKEN" is not an HTTP method`,
      `${rpc("NestedBindings")}additional_bindings inside additional_bindings`,
      `${rpc("Syntax")}"**" must be the last segment, but there is another at column 15 of "/v1/{text=**}/more"`,
      `${rpc("RestOnly")}has a REST response but no google.api.http rule`,
      "rpc library.v1.Library.Query: has a REST response but is not served",
    ]);
  });
});

test("a long body is parsed, and its message built, in several turns of the event loop", async () => {
  const steps: string[] = [];
  const held: number[] = [];
  const reader = createJsonReader({ unknownFields: "reject", presenceMasks: new Map() });
  const noted =
    <Given extends unknown[], Result>(name: string, step: (...given: Given) => Result) =>
    (...given: Given) => {
      steps.push(name);
      return step(...given);
    };
  const json: JsonReader = {
    ...reader,
    parse: noted("parse", reader.parse),
    parseInTurns: noted("parse in turns", reader.parseInTurns),
    read: noted("build", reader.read) as JsonReader["read"],
    readInTurns: noted("build in turns", (...given: Parameters<JsonReader["readInTurns"]>) => {
      held.push(testBodies.heldBytes());
      return reader.readInTurns(...given);
    }),
  };
  const methods = tableOf(serviceNamed("library.v1.Library"), (request) => {
    held.push(testBodies.heldBytes());
    return request;
  });
  const shared = { methods, json, bodies: testBodies, trustedProxies: [], admit: () => {}, reportError: () => {} };
  const large = await listen(createTranscoder({ ...shared, rest: new Map(), maxBytes: () => 2 ** 20 }));
  const stepsFor = async (text: string) => {
    steps.length = 0;
    expect(await send(large.port, "POST", "/v1/query", { text })).toMatchObject({ status: 200, json: { text } });
    return steps;
  };
  expect(await stepsFor("a".repeat(300_000))).toEqual(["parse in turns", "build in turns"]);
  // The body counts while its message is built and while the method runs.
  const bytes = Buffer.byteLength(JSON.stringify({ text: "a".repeat(300_000) }));
  expect(held).toEqual([bytes, bytes]);
  expect(testBodies.heldBytes()).toBe(0);
  expect(await stepsFor("a")).toEqual(["parse", "build"]);
  await large.close();
});

/** Sends bytes unchanged and returns everything until the server ends the connection. */
function rawRequest(text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = tcpConnect(server.port, "127.0.0.1");
    let received = "";
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(received));
    socket.write(text);
  });
}
