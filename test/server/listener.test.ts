import { Agent, request as http1Request, type ServerResponse } from "node:http";
import { connect as connectHttp2, constants } from "node:http2";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { connect as connectTcp } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { expect, it } from "vitest";
import { createListener } from "../../src/server/listener.ts";
import { selfSigned } from "../support/certificates.ts";
import { askHttp1, askHttp2, quickLimits, raw, serve, until } from "./support.ts";

const echoVersion = (request: { httpVersion: string }, response: { end(text: string): void }): void => response.end(request.httpVersion);

it("serves HTTP/1.1, fetch and HTTP/2 on one port", async () => {
  await using server = await serve(echoVersion);
  expect((await askHttp1(server.port)).body).toBe("1.1");
  expect(await (await fetch(`http://127.0.0.1:${server.port}/`)).text()).toBe("1.1");
  expect((await askHttp2(server.port)).body).toBe("2.0");
});

it("keeps HTTP/1.1 connections for further requests, and announces for how long", async () => {
  await using server = await serve((request, response) => response.end(String(request.socket.remotePort)), { anonymousIdleMs: 5_000 });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ports = new Set<string>();
  for (let count = 0; count < 5; count += 1) {
    await new Promise<void>((resolve, reject) => {
      http1Request({ host: "127.0.0.1", port: server.port, agent }, (response) => {
        expect(response.headers["keep-alive"]).toBe("timeout=5");
        response.on("data", (chunk: Buffer) => ports.add(chunk.toString()));
        response.on("end", resolve);
      })
        .on("error", reject)
        .end();
    });
  }
  expect(ports.size).toBe(1);
  agent.destroy();
});

it("reads bodies completely, however the first packet is split", async () => {
  await using server = await serve((request, response) => {
    let length = 0;
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
    });
    request.on("end", () => response.end(`length ${length}`));
  });
  const message = Buffer.from(`POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 300000\r\n\r\n${"a".repeat(300_000)}`);
  for (const cut of [1, 2, 20, 100, 200_000]) {
    const client = raw(server.port, message.subarray(0, cut));
    // Nothing shows that the server has read the first packet. Sent too early, both are one, which is valid too.
    await sleep(20);
    client.socket.write(message.subarray(cut));
    expect((await client.closed()).toString()).toContain("length 300000");
  }
});

it("returns 500, continues and reports the error if a handler throws", async () => {
  const reported: unknown[] = [];
  const failure = new Error("a bug");
  const listener = createListener({
    handler: () => {
      throw failure;
    },
    limits: quickLimits,
    onError: (error) => reported.push(error),
  });
  const { port } = await listener.listen("127.0.0.1", 0);
  expect(await askHttp1(port)).toMatchObject({ status: 500, headers: { connection: "close" } });
  expect(JSON.parse((await askHttp2(port)).body)).toMatchObject({
    code: 13,
    error: { code: 500, status: "INTERNAL", message: "internal error" },
  });
  expect(reported).toEqual([failure, failure]);
  await listener.drain(1_000);
});

it("rejects if the address is in use, and can be drained without having listened", async () => {
  await using server = await serve(echoVersion);
  const second = createListener({ handler: echoVersion as never, limits: quickLimits });
  await expect(second.listen("127.0.0.1", server.port)).rejects.toMatchObject({ code: "EADDRINUSE" });
  await second.drain(1_000);
});

it("survives writes to clients that disconnected, on both versions", async () => {
  let asked = 0;
  let wrote = 0;
  await using server = await serve((_request, response) => {
    asked += 1;
    response.on("close", () => {
      (response as ServerResponse).write("late");
      response.end();
      wrote += 1;
    });
  });
  const http1 = raw(server.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const http2 = connectHttp2(`http://127.0.0.1:${server.port}`).on("error", () => {});
  http2.request({ ":path": "/" }).on("error", () => {});
  await until(() => asked === 2);
  http1.socket.resetAndDestroy();
  http2.destroy();
  await until(() => wrote === 2);
  await until(() => server.listener.connectionCount() === 0);
});

it("ends responses that the client does not read", async () => {
  const large = Buffer.alloc(32 * 1024 * 1024);
  await using server = await serve((_request, response) => response.end(large));
  const http1 = raw(server.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  http1.socket.pause();
  await until(() => server.listener.connectionCount() === 1);
  await until(() => server.listener.connectionCount() === 0);
  http1.socket.destroy();

  const http2 = connectHttp2(`http://127.0.0.1:${server.port}`).on("error", () => {});
  const stream = http2.request({ ":path": "/" });
  stream.on("error", () => {}).pause();
  await new Promise((resolve) => stream.on("close", resolve));
  expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
  http2.close();
});

it("leaves streams open that send at intervals", async () => {
  await using server = await serve(
    (_request, response) => {
      (response as ServerResponse).write("first ");
      // Several times `sessionIdleMs`.
      setTimeout(() => response.end("last"), 1_500);
    },
    { sessionIdleMs: 300 },
  );
  expect((await askHttp2(server.port)).body).toBe("first last");
  expect((await askHttp1(server.port)).body).toBe("first last");
});

it("leaves no listeners behind on a connection with many requests", async () => {
  const warnings: Error[] = [];
  const note = (warning: Error): number => warnings.push(warning);
  process.on("warning", note);
  await using server = await serve((_request, response) => response.end("ok"));
  const client = raw(server.port);
  for (let count = 0; count < 50; count += 1) client.socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await until(() => client.received().toString().split("HTTP/1.1 200").length === 51);
  client.socket.destroy();
  const session = connectHttp2(`http://127.0.0.1:${server.port}`);
  await Promise.all(
    Array.from({ length: 50 }, () => new Promise((resolve) => session.request({ ":path": "/" }).on("close", resolve).resume())),
  );
  session.close();
  process.off("warning", note);
  expect(warnings).toEqual([]);
});

it("serves both versions over TLS by ALPN, and drains them", async () => {
  const tls = selfSigned("localhost");
  const listener = createListener({ handler: echoVersion as never, limits: quickLimits, tls });
  const { port } = await listener.listen("127.0.0.1", 0);
  const trust = { ca: tls.cert, servername: "localhost" };

  const agent = new HttpsAgent({ ...trust, keepAlive: true });
  const overHttp1 = await new Promise<string>((resolve, reject) => {
    httpsRequest({ host: "127.0.0.1", port, agent }, (response) => {
      response.on("data", (chunk: Buffer) => resolve(chunk.toString()));
    })
      .on("error", reject)
      .end();
  });
  expect(overHttp1).toBe("1.1");

  const session = connectHttp2(`https://127.0.0.1:${port}`, trust);
  const overHttp2 = await new Promise<string>((resolve) => {
    session.request({ ":path": "/" }).on("data", (chunk: Buffer) => resolve(chunk.toString()));
  });
  expect(overHttp2).toBe("2.0");

  // Clear text, a broken handshake and a handshake that stalls do not affect it.
  await raw(port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").closed();
  await raw(port, Buffer.from([0x16, 3, 1, 0, 2, 9, 9])).closed();
  await raw(port, Buffer.from([0x16])).closed();
  const gone = connectTls({ host: "127.0.0.1", port, ...trust, ALPNProtocols: ["h2"] }, () => gone.destroy());
  gone.on("error", () => {});
  await new Promise((resolve) => gone.on("close", resolve));
  const malformed = connectTls({ host: "127.0.0.1", port, ...trust }, () => malformed.write("nonsense\r\n\r\n"));
  const refusal = await new Promise<string>((resolve) => malformed.on("data", (chunk) => resolve(chunk.toString())));
  expect(refusal).toMatch(/^HTTP\/1.1 400 /);
  malformed.destroy();

  await listener.drain(5_000);
  expect(session.closed).toBe(true);
  expect(listener.connectionCount()).toBe(0);
  agent.destroy();
});

it("resolves a name and an IPv6 address to listen on", async () => {
  const listener = createListener({ handler: echoVersion as never, limits: quickLimits });
  const { address, port } = await listener.listen("localhost", 0);
  expect(["127.0.0.1", "::1"]).toContain(address);
  await new Promise<void>((resolve) =>
    connectTcp({ host: address, port }, resolve)
      .on("close", () => {})
      .unref(),
  );
  await listener.drain(100);
});
