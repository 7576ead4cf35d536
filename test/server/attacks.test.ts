import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Listener } from "../../src/server/listener.ts";
import { http2Flaw } from "../../src/server/request-flaws.ts";
import {
  askHttp1,
  askHttp2,
  frame,
  frameType,
  frameTypes,
  getHeaderBlock,
  http2Preface,
  longTimes,
  raw,
  serve,
  type TestServer,
  until,
} from "./support.ts";

const settings = frame(frameType.settings, 0, 0);
const endStream = 1;
const endHeaders = 4;

let server: TestServer;
let listener: Listener;
let port: number;
/** This server closes nothing because of a time limit. */
let patient: TestServer;
let handled = 0;

beforeAll(async () => {
  server = await serve((request, response) => {
    handled += 1;
    request.resume();
    if (request.url === "/body") request.on("end", () => response.end("done"));
    else response.end("ok");
  });
  ({ listener, port } = server);
  patient = await serve((_request, response) => response.end("ok"), longTimes);
});
afterAll(async () => {
  await Promise.all([server[Symbol.asyncDispose](), patient[Symbol.asyncDispose]()]);
});
afterEach(async () => {
  expect((await askHttp1(port)).body).toBe("ok");
  expect((await askHttp2(port)).body).toBe("ok");
  await until(() => listener.connectionCount() === 0);
});

const errorJson = (httpStatus: number, code: number, status: string) =>
  expect.objectContaining({ code, details: [], error: expect.objectContaining({ code: httpStatus, status, details: [] }) });

/** Parses a raw response: its status, and its body as JSON. */
function parse(answer: Buffer): { status: number; connection: string | undefined; json: unknown } {
  const text = answer.toString("latin1");
  const [head = "", body = ""] = text.split("\r\n\r\n", 2);
  return {
    status: Number(head.split(" ")[1]),
    connection: /^connection: *(.*)$/im.exec(head)?.[1],
    json: body === "" ? undefined : JSON.parse(body),
  };
}

describe("HTTP/1.1 that is refused with 400", () => {
  const shapes: Record<string, string> = {
    "garbage bytes": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a single word": "hello\r\n\r\n",
    "Content-Length beside Transfer-Encoding":
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding beside Content-Length":
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding that does not end in chunked": "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "an unknown Transfer-Encoding": "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "two Content-Length lines": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "two equal Content-Length lines": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
    "a list of lengths": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na",
    "a signed length": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na",
    "a space before the colon": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 1\r\n\r\na",
    "a folded line": "GET / HTTP/1.1\r\nHost: a\r\nX-One: a\r\n b\r\n\r\n",
    "bare LF after the request line": "GET / HTTP/1.1\nHost: a\r\n\r\n",
    "bare LF after a header": "GET / HTTP/1.1\r\nHost: a\nX-One: a\r\n\r\n",
    "bare LF at the end": "GET / HTTP/1.1\r\nHost: a\r\n\n",
    "bare CR in a header": "GET / HTTP/1.1\r\nHost: a\r\nX-One: a\rX-Two: b\r\n\r\n",
    "a NUL in a header": "GET / HTTP/1.1\r\nHost: a\r\nX-One: a\0b\r\n\r\n",
    "a chunk size that is not a number": "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "bare LF after a chunk size": "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
    "a chunk longer than its stated size": "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
    "no Host": "GET / HTTP/1.1\r\n\r\n",
    "a target without a host": "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n",
    "a target with a name and password": "GET http://b@a/x HTTP/1.1\r\nHost: a\r\n\r\n",
    "a target whose host has a forbidden character": "GET http://a|b/x HTTP/1.1\r\nHost: a\r\n\r\n",
    "two Hosts": "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n",
    "an invalid Host": "GET / HTTP/1.1\r\nHost: a/b@c\r\n\r\n",
    "an invalid version": "GET / HTTP/9.9\r\nHost: a\r\n\r\n",
  };
  for (const [name, bytes] of Object.entries(shapes)) {
    it(name, async () => {
      const answer = parse(await raw(port, Buffer.from(bytes, "latin1")).closed());
      expect(answer.status).toBe(400);
      expect(answer.connection).toBe("close");
      expect(answer.json).toEqual(errorJson(400, 3, "INVALID_ARGUMENT"));
    });
  }
});

describe("HTTP/1.1 that is refused in other ways", () => {
  it("returns 431 for headers beyond 16 KiB, even if they continue", async () => {
    const client = raw(port, `GET / HTTP/1.1\r\nHost: a\r\nX-One: ${"a".repeat(20_000)}`, "b".repeat(200_000));
    expect(parse(await client.closed())).toMatchObject({ status: 431, json: errorJson(431, 8, "RESOURCE_EXHAUSTED") });
  });
  it("returns 431 for more headers than allowed, instead of dropping some", async () => {
    const client = raw(port, `GET / HTTP/1.1\r\nHost: a\r\n${"x: y\r\n".repeat(100)}\r\n`);
    expect(parse(await client.closed())).toMatchObject({ status: 431, json: errorJson(431, 8, "RESOURCE_EXHAUSTED") });
  });
  it("returns 413 for chunk extensions without end", async () => {
    const client = raw(port, `POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;${"a".repeat(30_000)}`);
    expect(parse(await client.closed()).status).toBe(413);
  });
  it("returns 408 for headers that arrive too slowly", async () => {
    const client = raw(port, "GET / HTTP/1.1\r\n");
    const dribble = setInterval(() => client.socket.write("X: y\r\n"), 20);
    const answer = parse(await client.closed());
    clearInterval(dribble);
    expect(answer).toMatchObject({ status: 408, json: errorJson(408, 4, "DEADLINE_EXCEEDED") });
  });
  it("returns 408 for a body that arrives too slowly", async () => {
    const client = raw(port, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    const dribble = setInterval(() => client.socket.write("a"), 20);
    const answer = parse(await client.closed());
    clearInterval(dribble);
    expect(answer.status).toBe(408);
  });
  it("returns 405 for CONNECT", async () => {
    const client = raw(port, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n");
    expect(parse(await client.closed())).toMatchObject({ status: 405, json: errorJson(405, 12, "UNIMPLEMENTED") });
  });
  it("returns 417 for an unknown expectation", async () => {
    const client = raw(port, "GET / HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\n\r\n");
    expect(parse(await client.closed())).toMatchObject({ status: 417, json: errorJson(417, 3, "INVALID_ARGUMENT") });
  });
});

describe("HTTP/1.1 that is served", () => {
  it("asks for the body with 100 Continue", async () => {
    const client = raw(port, "POST /body HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\n");
    await until(() => client.received().includes("100 Continue"));
    client.socket.write("a");
    expect((await client.closed()).toString()).toContain("\r\n\r\ndone");
  });
  it("ignores an upgrade to h2c", async () => {
    const head =
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n";
    expect((await raw(port, head).closed()).toString()).toMatch(/^HTTP\/1.1 200 /);
  });
  it("answers HTTP/1.0 without Host, and closes", async () => {
    expect((await raw(port, "GET / HTTP/1.0\r\n\r\n").closed()).toString()).toMatch(/^HTTP\/1.1 200 /);
  });
  it("answers pipelined requests, and returns 400 for garbage after them", async () => {
    const one = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const client = raw(port, `${one}${one}`);
    await until(() => client.received().toString().split("\r\n\r\nok").length === 3);
    client.socket.write("nonsense\r\n\r\n");
    expect((await client.closed()).toString().match(/HTTP\/1.1 (\d+)/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 400"]);
  });
  it.each([
    ["a bad Host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400"],
    ["an unknown expectation", "GET / HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\n\r\n", "417"],
    ["an unknown coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "400"],
  ])("carries out nothing after %s, because its response is the last", async (_what, refused, status) => {
    const one = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for (const before of [0, 1, 3]) {
      const handledBefore = handled;
      const text = (await raw(port, one.repeat(before) + refused + one.repeat(2)).closed()).toString();
      expect(text.match(/HTTP\/1.1 (\d+)/g)).toEqual([...Array(before).fill("HTTP/1.1 200"), `HTTP/1.1 ${status}`]);
      expect(handled - handledBefore).toBe(before);
    }
  });
  it.each([
    { after: "garbage", junk: "nonsense\r\n\r\n", end: ["HTTP/1.1 400"] },
    { after: "headers that are too large", junk: `GET /${"a".repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, end: ["HTTP/1.1 431"] },
    { after: "CONNECT", junk: "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", end: ["HTTP/1.1 405"] },
    {
      after: "a request whose body is broken",
      junk: "POST /slow HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
      end: ["HTTP/1.1 400"],
    },
    { after: "the last one", last: "Connection: close\r\n", junk: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", end: [] },
  ])("answers requests in progress before it refuses what follows: $after", async ({ junk, last = "", end }) => {
    const responses: ServerResponse[] = [];
    await using slow = await serve((_request, response) => responses.push(response as ServerResponse), longTimes);
    const client = raw(slow.port, `GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n${last}\r\n${junk}`);
    await until(() => responses.length >= 2);
    // Whatever the server says to the rest, it says before it can read this.
    await askHttp1(port);
    expect(client.received()).toHaveLength(0);
    for (const response of responses.slice(0, 2)) response.end("ok");
    const text = (await client.closed()).toString();
    expect(text.match(/HTTP\/1.1 (\d+)/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 200", ...end]);
  });
});

describe("connections that send too little", () => {
  it("closes one that sends nothing", async () => {
    await using strict = await serve(() => {}, { ...longTimes, headersTimeoutMs: 300 });
    expect(await raw(strict.port).closed()).toHaveLength(0);
  });
  it("closes one that sends an HTTP/2 preface too slowly", async () => {
    await using strict = await serve(() => {}, { ...longTimes, headersTimeoutMs: 300 });
    const client = raw(strict.port);
    let at = 0;
    const dribble = setInterval(() => client.socket.write(http2Preface.subarray(at, ++at)), 100);
    expect(await client.closed()).toHaveLength(0);
    clearInterval(dribble);
    expect(at).toBeLessThan(http2Preface.length);
  });
  it("closes one that ends before its first byte", async () => {
    const client = raw(patient.port);
    client.socket.end();
    await client.closed();
  });
  it("closes one that ends in the middle of a preface, of a request, of a body", async () => {
    for (const piece of [http2Preface.subarray(0, 10), "GET / HT", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\na"]) {
      const client = raw(patient.port, piece);
      client.socket.end();
      await client.closed();
    }
  });
  it("closes one that is reset", async () => {
    for (const piece of ["", "G", http2Preface, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\na"]) {
      const client = raw(port, piece);
      await until(() => listener.connectionCount() === 1);
      client.socket.resetAndDestroy();
      await until(() => listener.connectionCount() === 0);
    }
  });
  it("closes an HTTP/2 connection that sends no SETTINGS", async () => {
    await using strict = await serve(() => {}, { ...longTimes, headersTimeoutMs: 300 });
    await raw(strict.port, http2Preface).closed();
  });
  it("closes an HTTP/2 connection that its client has half closed", async () => {
    const client = raw(patient.port, http2Preface, settings, frame(frameType.headers, endStream | endHeaders, 1, getHeaderBlock));
    await until(() => frameTypes(client.received()).includes(frameType.data));
    client.socket.end();
    await client.closed();
  });
  it("closes an HTTP/2 session without streams, although it pings", async () => {
    const client = raw(port, http2Preface, settings);
    const pings = setInterval(() => client.socket.write(frame(frameType.ping, 0, 0, Buffer.alloc(8))), 50);
    const types = frameTypes(await client.closed());
    clearInterval(pings);
    expect(types).toContain(frameType.goaway);
  });
});

it("HTTP/2 with two hosts that differ is refused with 400", async () => {
  const statusOf = async (headers: Record<string, string>) => (await askHttp2(port, "/", headers)).status;
  expect(await statusOf({ ":authority": "a.example", host: "b.example" })).toBe(400);
  expect(await statusOf({ ":authority": "a.example", host: "A.example" })).toBe(200);
  expect(await statusOf({ ":authority": "a.example:80", host: "a.example" })).toBe(200);
  // Node's client sends one Host.
  expect(http2Flaw({ ":authority": "a", host: "a" }, ["host", "a", "host", "b"], 1000)?.httpStatus).toBe(400);
  expect(await statusOf({ host: "b.example" })).toBe(200);
  const grpc = { ":method": "POST", "content-type": "application/grpc", ":authority": "a.example", host: "b.example" };
  expect(await askHttp2(port, "/", grpc)).toMatchObject({ status: 400, headers: { "grpc-status": "3" } });
});

describe("HTTP/2 floods", () => {
  const start = [http2Preface, settings];
  const goesAway = async (...pieces: Buffer[]): Promise<void> => {
    const client = raw(port, ...start, ...pieces);
    await client.closed();
  };

  it("accepts a preface in single bytes", async () => {
    const client = raw(patient.port);
    client.socket.setNoDelay(true);
    for (const byte of http2Preface) {
      client.socket.write(Buffer.from([byte]));
      // Lets the bytes arrive one by one.
      await sleep(2);
    }
    client.socket.write(Buffer.concat([settings, frame(frameType.headers, endStream | endHeaders, 1, getHeaderBlock)]));
    await until(() => frameTypes(client.received()).includes(frameType.data));
    client.socket.destroy();
  });
  it("accepts a first request in the same packet as the preface", async () => {
    const client = raw(port, Buffer.concat([http2Preface, settings, frame(frameType.headers, endStream | endHeaders, 1, getHeaderBlock)]));
    await until(() => frameTypes(client.received()).includes(frameType.data));
    client.socket.destroy();
  });
  it("ends a rapid reset, and answers few of its requests", async () => {
    const before = handled;
    const pairs: Buffer[] = [];
    for (let stream = 1; stream < 10_000; stream += 2) {
      pairs.push(frame(frameType.headers, endStream | endHeaders, stream, getHeaderBlock));
      pairs.push(frame(frameType.rstStream, 0, stream, Buffer.from([0, 0, 0, 8])));
    }
    await goesAway(Buffer.concat(pairs));
    expect(handled - before).toBeLessThan(200);
  });
  it("ends a flood of SETTINGS", async () => {
    await goesAway(Buffer.concat(Array.from({ length: 20_000 }, () => settings)));
  });
  it("ends a flood of PING", async () => {
    await goesAway(Buffer.concat(Array.from({ length: 20_000 }, () => frame(frameType.ping, 0, 0, Buffer.alloc(8)))));
  });
  it("ends a flood of PING from a client that reads nothing", async () => {
    const client = raw(port, ...start);
    client.socket.pause();
    const ping = Buffer.concat(Array.from({ length: 1_000 }, () => frame(frameType.ping, 0, 0, Buffer.alloc(8))));
    const flood = setInterval(() => client.socket.write(ping), 5);
    await until(() => listener.connectionCount() === 0);
    clearInterval(flood);
    client.socket.destroy();
  });
  it("ends a flood of SETTINGS entries in one frame", async () => {
    await goesAway(frame(frameType.settings, 0, 0, Buffer.concat(Array.from({ length: 100 }, () => Buffer.from([0, 3, 0, 0, 0, 100])))));
  });
  it("ends a flood of CONTINUATION", async () => {
    const more = frame(frameType.continuation, 0, 1, Buffer.from([0x00, 1, 0x78, 1, 0x79]));
    await goesAway(frame(frameType.headers, 0, 1, getHeaderBlock), Buffer.concat(Array.from({ length: 20_000 }, () => more)));
  });
  it("refuses huge headers and many headers", async () => {
    expect(await askHttp2(port, "/", { "x-one": "a".repeat(40_000) })).toMatchObject({
      status: 431,
      body: expect.stringContaining("too large"),
    });
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`x-${index}`, "y"]));
    await expect(askHttp2(port, "/", many)).rejects.toThrow();
  });
  it("ends broken frames", async () => {
    await goesAway(Buffer.from("\xff".repeat(200), "latin1"));
    await goesAway(frame(frameType.data, 0, 1, Buffer.alloc(10)));
    await goesAway(frame(frameType.headers, endStream | endHeaders, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff])));
    await goesAway(frame(frameType.headers, endStream | endHeaders, 2, getHeaderBlock));
  });
  it("resets a stream whose body does not arrive in time", async () => {
    const client = raw(
      port,
      ...start,
      frame(
        frameType.headers,
        endHeaders,
        1,
        Buffer.concat([Buffer.from([0x83, 0x86, 0x44, 5]), Buffer.from("/body"), Buffer.from([0x41, 1, 0x61])]),
      ),
    );
    await until(() => frameTypes(client.received()).includes(frameType.rstStream), 2_000);
    client.socket.destroy();
  });
  it("refuses CONNECT", async () => {
    const block = Buffer.concat([Buffer.from([0x42, 7]), Buffer.from("CONNECT"), Buffer.from([0x41, 4]), Buffer.from("a:80")]);
    const client = raw(port, ...start, frame(frameType.headers, endHeaders, 1, block));
    await until(() => client.received().includes("CONNECT is not supported"));
    client.socket.destroy();
  });
});

it("keeps connections within their limit", async () => {
  await using small = await serve((_, response) => response.end("ok"), { ...longTimes, maxConnections: 4 });
  const held = [raw(small.port, "G"), raw(small.port, "G")];
  await until(() => small.listener.connectionCount() === 2);
  expect(await raw(small.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").closed()).toHaveLength(0);
  for (const client of held) client.socket.destroy();
  await until(() => small.listener.connectionCount() === 0);
  expect((await askHttp1(small.port)).body).toBe("ok");
});
