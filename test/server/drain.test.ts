import { once } from "node:events";
import { Agent, request as http1Request, type IncomingMessage, type ServerResponse } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { buffer, text } from "node:stream/consumers";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { expect, it } from "vitest";
import type { HttpHandler, HttpResponse } from "../../src/http/message.ts";
import { createListener } from "../../src/server/listener.ts";
import { createAuthority } from "../support/certificates.ts";
import {
  frame,
  framesOf,
  frameType,
  frameTypes,
  getHeaderBlock,
  http2Preface,
  longTimes,
  quickLimits,
  raw,
  serve,
  type TestServer,
  until,
} from "./support.ts";

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

const getRequest = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const patient = { ...longTimes, goawayPatienceMs: 120_000 };

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
  // The two with a call.
  await until(() => server.listener.connectionCount() === 2);
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

it("answers all HTTP/1.1 requests that were sent ahead, also one that arrives later, and closes after the last", async () => {
  const { handler, waiting } = held();
  await using server = await serve(handler, longTimes);
  const client = raw(server.port, getRequest.repeat(3));
  await until(() => waiting.length === 3);
  const drained = server.listener.drain(60_000);
  client.socket.write(getRequest);
  await until(() => waiting.length === 4);
  for (const response of waiting) response.end("done");
  const [, ...answers] = String(await client.closed()).split("HTTP/1.1 200 OK");
  expect(answers.map((answer) => /^connection: close/im.test(answer))).toEqual([false, false, false, true]);
  await drained;
});

it("does not handle a request that follows the last response of its connection", async () => {
  const { handler, waiting } = held();
  await using server = await serve(handler, longTimes);
  const [client, silent] = [raw(server.port, getRequest), raw(server.port)];
  const session = connectHttp2(`http://127.0.0.1:${server.port}`);
  await once(session, "remoteSettings");
  await until(() => waiting.length === 1 && server.listener.connectionCount() === 3);
  const drained = server.listener.drain(60_000);
  // From now on responses say that they are the last.
  await once(session, "goaway");
  (waiting[0] as ServerResponse).write("begun ");
  client.socket.write(getRequest);
  await silent.closed();
  waiting[0]?.end("done");
  expect(String(await client.closed())).toContain("done");
  expect(waiting).toHaveLength(1);
  await drained;
});

it("closes a connection in clear text soon after its first request", async () => {
  await using server = await serve((_request, response) => response.end("ok"), { ...longTimes, lingerMs: 120_000 });
  const client = raw(server.port, getRequest);
  await until(() => client.received().includes("ok"));
  await server.listener.drain(120_000);
  client.socket.destroy();
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

it("answers the requests of kept connections that are in transit when it began", async () => {
  await using server = await serve((_request, response) => response.end("ok"));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  expect(await (await get(server.port, agent)).body).toBe("ok");
  const late = get(server.port, agent);
  const drained = server.listener.drain(10_000);
  const { response, body } = await late;
  expect(response.headers.connection).toBe("close");
  expect(await body).toBe("ok");
  await drained;
});

it("notifies an HTTP/2 client that has not read a large response yet", async () => {
  const body = Buffer.alloc(16 * 2 ** 20, "x");
  let asked = 0;
  await using server = await serve((_request, response) => {
    asked += 1;
    response.end(asked === 1 ? body : "ok");
  }, patient);
  const window = Buffer.from([0x7f, 0, 0, 0]);
  const client = raw(server.port, http2Preface, frame(frameType.settings, 0, 0, Buffer.concat([Buffer.from([0, 4]), window])));
  client.socket.write(
    Buffer.concat([frame(frameType.settings, 1, 0), frame(8, 0, 0, window), frame(frameType.headers, 5, 1, getHeaderBlock)]),
  );
  await until(() => frameTypes(client.received()).includes(frameType.headers));
  client.socket.pause();
  const silent = raw(server.port);
  await until(() => server.listener.connectionCount() === 2);
  const drained = server.listener.drain(30_000);
  await silent.closed();
  let byteLength = client.received().length;
  client.socket.on("data", (chunk: Buffer) => {
    byteLength += chunk.length;
  });
  client.socket.resume();
  // Before that, reading all frames again and again would take seconds.
  await until(() => byteLength > body.length);
  const goaways = () => framesOf(client.received()).filter(({ type }) => type === frameType.goaway);
  await until(() => goaways().length === 1);
  expect(goaways()[0]?.payload.readUInt32BE(0)).toBe(2 ** 31 - 1);
  client.socket.write(frame(frameType.headers, 5, 3, getHeaderBlock));
  await until(() => frameTypes(client.received()).filter((type) => type === frameType.headers).length === 2);
  client.socket.destroy();
  await drained;
});

it("tells HTTP/2 clients over TLS which requests they may retry", async () => {
  await using server = await serveTls((_request, response) => response.end("ok"));
  const socket = await secure(server.port, "h2");
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  const received = (type: number) => framesOf(Buffer.concat(chunks)).filter((candidate) => candidate.type === type);
  socket.write(Buffer.concat([http2Preface, frame(frameType.settings, 0, 0), frame(frameType.headers, 5, 1, getHeaderBlock)]));
  await until(() => received(frameType.headers).length === 1);
  socket.write(frame(frameType.headers, 5, 3, getHeaderBlock));
  const drained = server.listener.drain(30_000);
  await until(() => received(frameType.goaway).length > 0);
  const answers = received(frameType.headers).length;
  for (const { payload } of received(frameType.goaway)) expect(payload.readUInt32BE(0)).toBe(answers === 2 ? 3 : 1);
  socket.destroy();
  await drained;
});

it("accepts the connections that the system completed before it began", async () => {
  await using server = await serve((_request, response) => response.end("ok"));
  const sockets = [1, 2, 3].map(() => connect(server.port, "127.0.0.1"));
  // The sockets connect in the next tick, and the server accepts them in the next turn of the event loop.
  await new Promise(process.nextTick);
  const drained = server.listener.drain(10_000);
  for (const socket of sockets) socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  for (const answer of await Promise.all(sockets.map(text))) expect(answer).toMatch(/^HTTP\/1\.1 200 OK/);
  await drained;
});

it("tells clients that their connections end only once the port is closed, because they connect again at once", async () => {
  const { handler, waiting } = held();
  await using server = await serve(handler, longTimes);
  const agent = new Agent({ keepAlive: true });
  const asked = [get(server.port, agent), get(server.port, agent)];
  const session = connectHttp2(`http://127.0.0.1:${server.port}`);
  await once(session, "remoteSettings");
  await until(() => waiting.length === 2);
  const reconnected = once(session, "goaway").then(() => once(connect(server.port, "127.0.0.1"), "connect"));
  const drained = server.listener.drain(60_000);
  waiting[0]?.end("early");
  const refused = expect(reconnected).rejects.toMatchObject({ code: "ECONNREFUSED" });
  const first = await Promise.race(asked);
  expect(await first.body).toBe("early");
  expect(first.response.headers.connection).toBe("keep-alive");
  await refused;
  waiting[1]?.end("late");
  const answers = await Promise.all(asked);
  expect(answers.map(({ response }) => response.headers.connection).toSorted()).toEqual(["close", "keep-alive"]);
  await drained;
  agent.destroy();
});

it("sends the rest of a response whose client reads slowly", async () => {
  const body = Buffer.alloc(16 * 2 ** 20, "x");
  let isEnded = false;
  await using server = await serve((_request, response) => {
    response.end(body);
    isEnded = true;
  }, longTimes);
  const socket = connect(server.port, "127.0.0.1").pause();
  socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await until(() => isEnded);
  const silent = raw(server.port);
  await until(() => server.listener.connectionCount() === 2);
  const drained = server.listener.drain(30_000);
  await silent.closed();
  expect((await buffer(socket)).length).toBeGreaterThan(body.length);
  await drained;
});

it("waits for HTTP/2 clients that read late", async () => {
  await using server = await serve((_request, response) => response.end("ok"), patient);
  const client = raw(server.port, http2Preface, frame(frameType.settings, 0, 0), frame(frameType.settings, 1, 0));
  client.socket.write(frame(frameType.headers, 5, 1, getHeaderBlock));
  const answers = () => frameTypes(client.received()).filter((type) => type === frameType.headers).length;
  await until(() => answers() === 1);
  const silent = raw(server.port);
  await until(() => server.listener.connectionCount() === 2);
  const drained = server.listener.drain(30_000);
  await silent.closed();
  client.socket.write(frame(frameType.headers, 5, 3, getHeaderBlock));
  await until(() => answers() === 2);
  client.socket.destroy();
  await drained;
});

it("closes connections over TLS without a call, whatever they have sent", async () => {
  const { listener, port } = await serveTls((_request, response) => response.end("ok"));
  const [used, unused, silentHttp2] = await Promise.all(["http/1.1", "http/1.1", "h2"].map((protocol) => secure(port, protocol)));
  const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  expect(await stream(session)).toBe("ok");
  used?.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await once(used as Socket, "data");
  const withoutHandshake = [raw(port), raw(port, Buffer.from([0x16, 3, 1]))];
  await until(() => listener.connectionCount() === 6);
  // Without a call to wait for, no time-out of these is reached.
  await listener.drain(120_000);
  for (const socket of [used, unused, silentHttp2]) socket?.destroy();
  for (const { socket } of withoutHandshake) socket.destroy();
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

async function serveTls(handler: HttpHandler): Promise<TestServer> {
  const { cert, key } = createAuthority("servers").issue({ ips: ["127.0.0.1"] });
  const listener = createListener({ handler, limits: { ...quickLimits, ...patient }, tls: { cert, key } });
  const { port } = await listener.listen("127.0.0.1", 0);
  return { listener, port, [Symbol.asyncDispose]: () => listener.drain(0) };
}

async function secure(port: number, protocol: string): Promise<TLSSocket> {
  const socket = connectTls({ port, host: "127.0.0.1", ALPNProtocols: [protocol], rejectUnauthorized: false }).on("error", () => {});
  await once(socket, "secureConnect");
  return socket;
}

async function connected(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}
