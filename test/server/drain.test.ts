import { once } from "node:events";
import { Agent, request as http1Request, type IncomingMessage, type ServerResponse } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import type { HttpHandler, HttpResponse } from "../../src/http/message.ts";
import { raw, serve, until } from "./support.ts";

function get(port: number, agent: Agent): Promise<{ response: IncomingMessage; body: Promise<string> }> {
  return new Promise((resolve, reject) => {
    http1Request({ host: "127.0.0.1", port, agent }, (response) => {
      const body = new Promise<string>((done) => {
        let text = "";
        response.on("data", (chunk: Buffer) => {
          text += chunk.toString();
        });
        response.on("end", () => done(text));
      });
      resolve({ response, body });
    })
      .on("error", reject)
      .end();
  });
}

function stream(session: ClientHttp2Session): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const request = session.request({ ":path": "/" });
    request.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    request.on("end", () => resolve(text)).on("error", reject);
  });
}

/** A handler that responds when told to. */
function held(): { handler: HttpHandler; waiting: HttpResponse[] } {
  const waiting: HttpResponse[] = [];
  return { handler: (_request, response) => void waiting.push(response), waiting };
}

it("finishes calls on both versions, closes idle connections, and accepts no new ones", async () => {
  const { handler, waiting } = held();
  await using server = await serve(handler);
  const agent = new Agent({ keepAlive: true });
  const idleSession = connectHttp2(`http://127.0.0.1:${server.port}`);
  const session = connectHttp2(`http://127.0.0.1:${server.port}`);
  const silent = raw(server.port);
  const overHttp1 = get(server.port, agent);
  const overHttp2 = stream(session);
  await until(() => waiting.length === 2 && server.listener.connectionCount() === 4);

  let isDrained = false;
  const drained = server.listener.drain(10_000).then(() => {
    isDrained = true;
  });
  expect(server.listener.draining.aborted).toBe(true);
  await silent.closed();
  await until(() => idleSession.closed);
  await expect(get(server.port, new Agent())).rejects.toMatchObject({ code: "ECONNREFUSED" });
  await sleep(300);
  expect(isDrained).toBe(false);

  for (const response of waiting) response.end("done");
  const { response, body } = await overHttp1;
  expect(response.headers.connection).toBe("close");
  expect(await body).toBe("done");
  expect(await overHttp2).toBe("done");
  await drained;
  expect(server.listener.connectionCount()).toBe(0);
  agent.destroy();
});

it("closes kept connections after a response that began before", async () => {
  const { handler, waiting } = held();
  await using server = await serve(handler);
  const agent = new Agent({ keepAlive: true });
  const asked = get(server.port, agent);
  await until(() => waiting.length === 1);
  (waiting[0] as ServerResponse).write("begun ");
  const { body } = await asked;
  const drained = server.listener.drain(10_000);
  waiting[0]?.end("done");
  expect(await body).toBe("begun done");
  await drained;
  agent.destroy();
});

it("answers the HTTP/2 requests in transit when it began", async () => {
  await using server = await serve((_request, response) => response.end("ok"));
  const session = connectHttp2(`http://127.0.0.1:${server.port}`);
  expect(await stream(session)).toBe("ok");
  // Sent in this turn, so the server reads it only after the drain has begun.
  const late = stream(session);
  const drained = server.listener.drain(5_000);
  expect(await late).toBe("ok");
  await drained;
});

it("answers the first request of a connection that had sent nothing when it began", async () => {
  await using server = await serve((_request, response) => response.end("ok"));
  const [http1, http2, silent] = await Promise.all([1, 2, 3].map(() => connected(server.port)));
  await until(() => server.listener.connectionCount() === 3);
  const drained = server.listener.drain(10_000);
  const session = connectHttp2(`http://127.0.0.1:${server.port}`, { createConnection: () => http2 as Socket });
  expect(await stream(session)).toBe("ok");
  http1?.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  expect(await text(http1 as Socket)).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*connection: close/i);
  expect(await text(silent as Socket)).toBe("");
  await drained;
});

it("destroys what is left after the limit", async () => {
  const { handler, waiting } = held();
  await using server = await serve(handler, { requestTimeoutMs: 60_000 });
  const agent = new Agent();
  const session = connectHttp2(`http://127.0.0.1:${server.port}`).on("error", () => {});
  const overHttp1 = expect(get(server.port, agent)).rejects.toMatchObject({ code: "ECONNRESET" });
  // Node's client reports a cut connection as an end without a response.
  const overHttp2 = expect(stream(session)).resolves.toBe("");
  const slow = raw(server.port, "GET / HTTP/1.1\r\n");
  await until(() => waiting.length === 2);
  const startMs = Date.now();
  const first = server.listener.drain(300);
  expect(server.listener.drain(1)).toBe(first);
  await first;
  expect(Date.now() - startMs).toBeGreaterThan(250);
  expect(Date.now() - startMs).toBeLessThan(2_000);
  await Promise.all([overHttp1, overHttp2, slow.closed()]);
});

it("ends endless streams through its signal", async () => {
  let watching = 0;
  await using server = await serve((_request, response) => {
    watching += 1;
    (response as ServerResponse).write("watching");
    const end = (): void => void response.end();
    server.listener.draining.addEventListener("abort", end);
    response.once("close", () => server.listener.draining.removeEventListener("abort", end));
  });
  const session = connectHttp2(`http://127.0.0.1:${server.port}`);
  const watches = Array.from({ length: 30 }, () => stream(session));
  await until(() => watching === watches.length);
  const startMs = Date.now();
  await server.listener.drain(10_000);
  expect(Date.now() - startMs).toBeLessThan(3_000);
  expect(new Set(await Promise.all(watches))).toEqual(new Set(["watching"]));
});

async function connected(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}
