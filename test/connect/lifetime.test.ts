import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect as connectHttp2, type IncomingHttpHeaders, sensitiveHeaders } from "node:http2";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, type ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { Health, HealthCheckRequestSchema } from "../../gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { VerifyApiKeyRequestSchema } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import { createMethodTable } from "../../src/call/methods.ts";
import type { RegisteredStreams } from "../../src/call/streams.ts";
import { Failure } from "../../src/error/failure.ts";
import { createBodyBudget } from "../../src/http/body-budget.ts";
import { envelope, type RawAnswer, send, startServer, type TestServer, verifyPath } from "./support.ts";

const proto = (credential: string): Uint8Array => toBinary(VerifyApiKeyRequestSchema, create(VerifyApiKeyRequestSchema, { credential }));
const authorization = "Bearer test";
const grpcHeaders = { ":method": "POST", ":path": verifyPath, authorization, "content-type": "application/grpc" };

let open: TestServer | undefined;
afterEach(async () => {
  await open?.[Symbol.asyncDispose]();
  open = undefined;
});

async function start(options: Parameters<typeof startServer>[0] = {}): Promise<TestServer> {
  open = await startServer(options);
  return open;
}

describe("unary calls", () => {
  it("aborts the signal of a call whose HTTP/1.1 caller disconnects, and sends nothing more", async () => {
    const server = await start();
    const headers = { authorization, "content-type": "application/json" };
    const request = httpRequest({ port: server.http1Port, host: "127.0.0.1", method: "POST", path: verifyPath, headers });
    request.on("error", () => {});
    request.end('{"credential":"slow"}');
    await vi.waitFor(() => expect(server.seen.calls.length).toBe(1));
    expect(server.seen.calls[0]?.signal.aborted).toBe(false);
    request.destroy();
    await vi.waitFor(() => expect(server.seen.calls[0]?.signal.aborted).toBe(true));
    await delay(20);
    expect(server.seen.reported).toEqual([]);
  });

  it("keeps the request id, which is new in each answer, out of the tables of HPACK", async () => {
    const server = await start();
    const session = connectHttp2(`http://127.0.0.1:${server.http2Port}`);
    const stream = session.request(grpcHeaders);
    stream.end(envelope(proto("valid")));
    const [headers] = (await once(stream, "response")) as [IncomingHttpHeaders & Record<symbol, string[]>];
    expect(headers["x-request-id"]).toMatch(/^[\da-f-]{36}$/);
    expect(headers[sensitiveHeaders]).toEqual(["x-request-id"]);
    session.destroy();
  });

  it("aborts the signal of a call whose HTTP/2 stream is reset", async () => {
    const server = await start();
    const session = connectHttp2(`http://127.0.0.1:${server.http2Port}`);
    const stream = session.request(grpcHeaders);
    stream.on("error", () => {});
    stream.end(envelope(proto("slow")));
    await vi.waitFor(() => expect(server.seen.calls.length).toBe(1));
    stream.close(8);
    await vi.waitFor(() => expect(server.seen.calls[0]?.signal.aborted).toBe(true));
    await delay(20);
    expect(server.seen.reported).toEqual([]);
    session.close();
  });

  it.each([
    ["application/json", (text: string) => Buffer.from(text)],
    ["application/grpc+json", (text: string) => envelope(Buffer.from(text))],
    ["application/grpc-web+json", (text: string) => envelope(Buffer.from(text))],
  ])("counts the body of a call until it is over: %s", async (type, bodyOf) => {
    const bodies = createBodyBudget({ maxBytes: 2 ** 20, maxAnonymousBytes: 2 ** 20, maxInflations: 1 });
    const server = await start({ bodies });
    const session = connectHttp2(`http://127.0.0.1:${server.http2Port}`);
    const stream = session.request({ ...grpcHeaders, "content-type": type });
    stream.on("error", () => {});
    const body = bodyOf(`{"credential":"slow"}${" ".repeat(100_000)}`);
    stream.end(body);
    await vi.waitFor(() => expect(server.seen.calls.length).toBe(1));
    expect(bodies.heldBytes()).toBeGreaterThanOrEqual(body.length);
    stream.close(8);
    await vi.waitFor(() => expect(bodies.heldBytes()).toBe(0));
    session.close();
  });

  it("writes nothing to a stream that was reset while a call ignored its signal", async () => {
    const server = await start();
    for (const type of ["application/grpc", "application/grpc-web"]) {
      const session = connectHttp2(`http://127.0.0.1:${server.http2Port}`);
      const stream = session.request({ ...grpcHeaders, "content-type": type });
      stream.on("error", () => {});
      stream.end(envelope(proto("late")));
      const calls = server.seen.calls.length;
      await vi.waitFor(() => expect(server.seen.calls.length).toBe(calls + 1));
      stream.close(8);
      await delay(150);
      expect(server.seen.reported).toEqual([]);
      session.close();
    }
  });

  it("runs nothing for a caller that disconnects before its message is complete", async () => {
    const server = await start();
    const session = connectHttp2(`http://127.0.0.1:${server.http2Port}`);
    const stream = session.request(grpcHeaders);
    stream.on("error", () => {});
    stream.write(envelope(proto("k1")).subarray(0, 6));
    await delay(20);
    stream.close(8);
    const socket = connect(server.http1Port, "127.0.0.1");
    socket.write(`POST ${verifyPath} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`);
    await delay(20);
    socket.destroy();
    await delay(50);
    expect([server.seen.calls, server.seen.reported]).toEqual([[], []]);
    session.close();
  });

  it("aborts the signal at the deadline", async () => {
    const server = await start();
    const headers = { authorization, "content-type": "application/json", "connect-timeout-ms": "30" };
    const answer = await send(server, "http1", { headers, body: '{"credential":"slow"}' });
    expect(answer.status).toBe(504);
    expect(server.seen.calls[0]?.signal.reason).toMatchObject({ reason: "DEADLINE_EXCEEDED" });
    expect(server.seen.reported).toEqual([]);
  });

  it("reports our own fault that occurs after the deadline", async () => {
    const server = await start();
    const headers = { authorization, "content-type": "application/json", "connect-timeout-ms": "30", "x-request-id": "id-7" };
    const answer = await send(server, "http1", { headers, body: '{"credential":"late bug"}' });
    expect(answer.status).toBe(504);
    await vi.waitFor(() => expect(server.seen.reported).toHaveLength(1));
    expect(server.seen.reported[0]).toMatchObject({
      message: "call id-7 failed after its deadline",
      cause: { message: "why it took so long" },
    });
  });

  it("respects the deadline while it waits for the body", async () => {
    const server = await start();
    const session = connectHttp2(`http://127.0.0.1:${server.http2Port}`);
    const stream = session.request({ ...grpcHeaders, "grpc-timeout": "30m" });
    const status = await new Promise((resolve) => {
      stream.on("response", (headers) => headers["grpc-status"] && resolve(headers["grpc-status"]));
      stream.on("trailers", (headers) => resolve(headers["grpc-status"]));
      stream.resume();
    });
    expect(status).toBe("4");
    session.destroy();
  });

  it("runs nothing for a message that ends after its deadline", async () => {
    const server = await start();
    const socket = connect(server.http1Port, "127.0.0.1");
    const lines = `Host: x\r\nAuthorization: ${authorization}\r\nContent-Type: application/proto\r\nConnect-Timeout-Ms: 30`;
    const [first, rest] = [proto("k1"), proto("k2")];
    socket.write(`POST ${verifyPath} HTTP/1.1\r\n${lines}\r\nContent-Length: ${first.length + rest.length}\r\n\r\n`);
    socket.write(first);
    await vi.waitFor(() => expect(socket.bytesRead).toBeGreaterThan(0));
    socket.write(rest);
    // The next request on the connection is answered after the first was read completely.
    const verify = `${lines.replace("30", "9000")}\r\nContent-Length: ${first.length}\r\nConnection: close`;
    socket.write(`POST ${verifyPath} HTTP/1.1\r\n${verify}\r\n\r\n`);
    socket.write(first);
    expect(await readAll(socket)).toMatch(/^HTTP\/1.1 504 .*HTTP\/1.1 200 /s);
    expect(server.seen.calls.length).toBe(1);
  });

  it("survives invalid hosts", async () => {
    const server = await start();
    for (const head of ["HTTP/1.1\r\nHost: a b[", "HTTP/1.0", "HTTP/1.1\r\nHost:"]) {
      for (const type of ["application/json", "application/grpc-web+json"]) {
        const socket = connect(server.http1Port, "127.0.0.1");
        const lines = `Authorization: ${authorization}\r\nContent-Type: ${type}\r\nContent-Length: 2\r\nConnection: close`;
        socket.end(`POST ${verifyPath} ${head}\r\n${lines}\r\n\r\n{}`);
        expect(await readAll(socket)).toMatch(/^HTTP\/1.1 200 /);
      }
    }
  });

  it("reports invalid frames as the caller's error", async () => {
    const server = await start();
    const bytes = fc.uint8Array({ maxLength: 40 });
    const length = fc.oneof(fc.nat(50), fc.integer({ min: 0, max: 0xffffffff }));
    const frame = fc.tuple(bytes, fc.nat(255), length).map(([data, flags, claimed]) => envelope(data, flags, claimed));
    const body = fc.oneof(
      bytes,
      frame,
      fc.array(frame, { maxLength: 3 }).map((all) => Buffer.concat(all)),
    );
    const types = fc.constantFrom(
      "application/grpc",
      "application/grpc+json",
      "application/grpc-web",
      "application/json",
      "application/proto",
    );
    const encodings = fc.constantFrom<Record<string, string>[]>(
      {},
      { "grpc-encoding": "gzip" },
      { "grpc-encoding": "br" },
      { "content-encoding": "gzip" },
    );
    await fc.assert(
      fc.asyncProperty(types, encodings, body, async (type, encoding, data) => {
        const headers = { authorization, "content-type": type, "x-request-id": "id", ...encoding };
        const answer = await send(server, "http2", { headers, body: data });
        expect(codeOf(answer)).toMatch(/^(0|3|8|12|200|400|429|501)$/);
      }),
      { numRuns: 300, seed: 7 },
    );
    expect(server.seen.reported).toEqual([]);
  });
});

function codeOf({ headers, trailers, body, status }: RawAnswer): string {
  const web = /grpc-status: ?(\d+)/.exec(body.toString("latin1"));
  return trailers["grpc-status"] ?? headers["grpc-status"] ?? web?.[1] ?? String(status);
}

function readAll(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString();
    });
    socket.on("error", reject);
    socket.on("end", () => resolve(text));
  });
}

describe("streams", () => {
  const shutdown = new AbortController();
  const openMethods = createMethodTable(
    Health,
    {
      check({ service }) {
        if (service === "missing") throw new Failure("ROUTE_NOT_FOUND", { message: "unknown service" });
        if (service === "bug") throw new Error("secret");
        return { status: 1 };
      },
      list: () => ({}),
    },
    [],
  );
  const register: RegisteredStreams["register"] = (router) => {
    router.rpc(Health.method.watch, async function* ({ service }, { signal }) {
      yield { status: 1 };
      if (service === "failure") throw new Failure("STORE_UNAVAILABLE", { message: "100 %: the store; a, b – é" });
      if (service === "bug") throw new Error("secret");
      if (service === "deaf") await new Promise(() => {});
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      yield { status: 2 };
    });
    router.service(ServerReflection, {
      async *serverReflectionInfo(requests) {
        for await (const request of requests) yield { validHost: request.host };
      },
    });
  };
  const streams: RegisteredStreams[] = [{ methods: [Health.method.watch, ServerReflection.method.serverReflectionInfo], register }];
  const outage = "Failure: 100 %: the store; a, b – é";
  const startStreams = (): Promise<TestServer> => start({ openMethods, streams, shutdownSignal: shutdown.signal });
  const reasonsOf = (error: unknown): string[] => (error as ConnectError).findDetails(ErrorInfoSchema).map(({ reason }) => reason);

  it("end in errors with a reason, also in services written for Connect", async () => {
    const server = await startStreams();
    const transports = [
      createGrpcTransport({ baseUrl: `http://127.0.0.1:${server.http2Port}` }),
      createGrpcWebTransport({ baseUrl: `http://127.0.0.1:${server.http1Port}`, httpVersion: "1.1", useBinaryFormat: false }),
    ];
    for (const transport of transports) {
      const client = createClient(Health, transport);
      const watch = async (service: string, timeoutMs?: number): Promise<[number, Code, string[], string | null]> => {
        let count = 0;
        try {
          for await (const _ of client.watch({ service }, { headers: { "x-request-id": "id-1" }, timeoutMs })) count += 1;
        } catch (error) {
          const { code, metadata } = error as ConnectError;
          return [count, code, reasonsOf(error), metadata.get("x-request-id")];
        }
        throw new Error("the stream must fail");
      };
      expect((await watch("failure")).slice(0, 3)).toEqual([1, Code.Unavailable, ["STORE_UNAVAILABLE"]]);
      expect((await watch("bug")).slice(0, 3)).toEqual([1, Code.Internal, ["INTERNAL"]]);
      expect((await watch("deaf", 50))[1]).toBe(Code.DeadlineExceeded);
      expect(await client.check({})).toMatchObject({ status: 1 });
      const missing = await client.check({ service: "missing" }).catch((error) => error);
      expect([missing.code, missing.rawMessage, reasonsOf(missing).length]).toEqual([Code.NotFound, "unknown service", 1]);
      const bug = await client.check({ service: "bug" }).catch((error) => error);
      expect([bug.code, bug.rawMessage, reasonsOf(bug)]).toEqual([Code.Internal, "internal error", ["INTERNAL"]]);
    }
    // Per transport: the store's outage and two bugs.
    const texts = server.seen.reported.map(String).sort();
    expect(texts).toEqual([...Array.from({ length: 4 }, () => "Error: secret"), ...Array.from({ length: 2 }, () => outage)]);
  });

  const watchPath = "/grpc.health.v1.Health/Watch";
  const failingWatch = envelope(toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema, { service: "failure" })));

  it.each(["application/grpc", "application/grpc-web"])("encode exactly what gRPC requires of a message: %s", async (type) => {
    const server = await startStreams();
    const answer = await send(server, "http2", { path: watchPath, headers: { "content-type": type }, body: failingWatch });
    const text = answer.trailers["grpc-message"] ?? /grpc-message: (.*)\r\n/.exec(answer.body.toString("latin1"))?.[1];
    expect(text).toBe("100 %25: the store; a, b %E2%80%93 %C3%A9");
  });

  it("work in the text form of gRPC-Web, with each message in separate base64", async () => {
    const server = await startStreams();
    const headers = { "content-type": "application/grpc-web-text", accept: "application/grpc-web-text" };
    const answer = await send(server, "http1", { path: watchPath, headers, body: failingWatch.toString("base64") });
    expect([answer.status, answer.headers["content-type"]]).toEqual([200, "application/grpc-web-text+proto"]);
    const text = answer.body.toString();
    // The status frame is 7 bytes, so its base64 is padded.
    expect(text.slice(0, 12)).toBe(envelope(Buffer.from([8, 1])).toString("base64"));
    expect(Buffer.from(text.slice(12), "base64").toString("latin1")).toContain("grpc-status: 14");
  });

  it("read the text form of gRPC-Web in pieces of any size, and refuse truncated text", async () => {
    const server = await startStreams();
    const text = failingWatch.toString("base64");
    for (const [body, status] of [
      [text, 14],
      [text.slice(0, -1), 3],
    ] as const) {
      const socket = connect(server.http1Port, "127.0.0.1");
      const lines = "Host: x\r\nContent-Type: application/grpc-web-text\r\nTransfer-Encoding: chunked\r\nConnection: close";
      const chunks = [...body].map((character) => `1\r\n${character}\r\n`).join("");
      socket.write(`POST ${watchPath} HTTP/1.1\r\n${lines}\r\n\r\n${chunks}0\r\n\r\n`);
      const [, answer = ""] = (await readAll(socket)).split("\r\n\r\n", 2);
      const frames = answer.split("\r\n").filter((line) => /^[A-Za-z\d+/=]{8,}$/.test(line));
      expect(frames.map((frame) => Buffer.from(frame, "base64").toString("latin1")).join()).toContain(`grpc-status: ${status}\r\n`);
    }
  });

  it("report invalid messages as the caller's error", async () => {
    const server = await startStreams();
    for (const [body, headers, status] of [
      [envelope(Buffer.from([0x0a, 0xff])), {}, "3"],
      [envelope(Buffer.alloc(0), 4), {}, "3"],
      [envelope(Buffer.alloc(3), 0, 0xffffffff), {}, "8"],
      [Buffer.from([0, 0]), {}, "3"],
      ["", {}, "12"],
      [envelope(Buffer.alloc(0), 1), {}, "13"],
      [envelope(Buffer.alloc(5), 1), { "grpc-encoding": "gzip" }, "3"],
      [envelope(Buffer.alloc(0)), { "grpc-encoding": "zip" }, "12"],
      [envelope(Buffer.alloc(0)), { "grpc-timeout": "soon" }, "3"],
    ] as const) {
      const all = { "content-type": "application/grpc", ...headers };
      const answer = await send(server, "http2", { path: "/grpc.health.v1.Health/Watch", headers: all, body });
      expect(codeOf(answer)).toBe(status);
      expect(answer.trailers["grpc-status-details-bin"]).toBeDefined();
    }
    expect(server.seen.reported).toEqual([]);
  });

  it("accept deadlines longer than the maximum of a timer", async () => {
    const server = await startStreams();
    const session = connectHttp2(`http://127.0.0.1:${server.http2Port}`);
    const stream = session.request({ ...grpcHeaders, ":path": "/grpc.health.v1.Health/Watch", "grpc-timeout": "99999999H" });
    stream.end(envelope(Buffer.alloc(0)));
    let ended = false;
    stream.on("close", () => {
      ended = true;
    });
    stream.resume();
    await delay(100);
    expect(ended).toBe(false);
    session.destroy();
  });

  it("in both directions need HTTP/2", async () => {
    const server = await startStreams();
    const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    const answer = await send(server, "http1", {
      path,
      headers: { "content-type": "application/grpc-web" },
      body: envelope(Buffer.alloc(0)),
    });
    expect([answer.status, answer.headers.upgrade]).toEqual([426, "h2c"]);
  });

  it("end at a shutdown: at once if they wait for requests, others after their last message", async () => {
    const server = await startStreams();
    const transport = createGrpcTransport({ baseUrl: `http://127.0.0.1:${server.http2Port}` });
    async function* idle() {
      yield { host: "x" };
      await new Promise(() => {});
    }
    const answers = createClient(ServerReflection, transport).serverReflectionInfo(idle())[Symbol.asyncIterator]();
    expect((await answers.next()).value).toMatchObject({ validHost: "x" });
    const watched: number[] = [];
    const watching = (async () => {
      for await (const { status } of createClient(Health, transport).watch({})) watched.push(status);
    })();
    await vi.waitFor(() => expect(watched).toEqual([1]));
    const unary = send(server, "http2", {
      headers: { authorization, "content-type": "application/grpc-web" },
      body: envelope(proto("late")),
    });
    await delay(20);
    shutdown.abort();
    const error = await answers.next().catch((reason) => reason);
    expect([error.code, reasonsOf(error)]).toEqual([Code.Unavailable, ["SHUTTING_DOWN"]]);
    await watching;
    expect(watched).toEqual([1, 2]);
    expect(codeOf(await unary)).toBe("0");
  });
});
