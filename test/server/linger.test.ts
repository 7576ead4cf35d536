import { once } from "node:events";
import { connect as connectHttp2, constants } from "node:http2";
import { connect, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import { defaultLimits } from "../../src/server/limits.ts";
import { createListener } from "../../src/server/listener.ts";
import { selfSigned } from "../support/certificates.ts";
import { serve, type TestServer } from "./support.ts";

const long = 60_000;
const mebibyte = 2 ** 20;

let server: TestServer | undefined;
afterEach(async () => {
  await server?.[Symbol.asyncDispose]();
  server = undefined;
});

/** A server that answers before it reads; `/close` closes the connection after the response. Counts the requests. */
async function startRefusing(limits: { lingerMs: number }): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = [];
  server = await serve(
    (request, response) => {
      asked.push(request.url ?? "");
      response.statusCode = 413;
      if (request.url === "/close") response.setHeader("connection", "close");
      response.setHeader("content-length", "7");
      response.end("refused");
      request.resume();
    },
    { requestTimeoutMs: long, responseTimeoutMs: long, headersTimeoutMs: long, ...limits },
  );
  return { port: server.port, asked };
}

const head = (path: string, byteLength: number) => `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${byteLength}\r\n\r\n`;

/** Sends this many bytes, in pieces, and waits each time until the socket accepts more. */
async function sendBytes(socket: Socket, byteLength: number): Promise<void> {
  const piece = Buffer.alloc(64 * 1024);
  for (let sent = 0; sent < byteLength; sent += piece.length) {
    if (!socket.write(piece)) await once(socket, "drain");
  }
}

/** Returns what arrived until the text is there or the connection is closed. */
async function readUntil(socket: Socket, text: string): Promise<string> {
  let received = "";
  socket.setEncoding("latin1");
  for await (const piece of socket.iterator({ destroyOnReturn: false })) {
    received += piece;
    if (received.includes(text)) break;
  }
  return received;
}

describe("an HTTP/1.1 client that is still sending when it is answered", () => {
  for (const path of ["/keep", "/close"]) {
    it(`can send everything and then read the response (${path})`, async () => {
      const { port } = await startRefusing({ lingerMs: long });
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      socket.write(head(path, 32 * mebibyte));
      // Like Python's http.client, it does not read the response before it has sent everything.
      await sendBytes(socket, 32 * mebibyte);
      expect(await readUntil(socket, "refused")).toContain(" 413 ");
      socket.destroy();
    });
  }

  it("can send everything and then read the response over TLS", async () => {
    const tls = selfSigned("localhost");
    const listener = createListener({
      handler: (_request, response) => {
        response.setHeader("connection", "close");
        response.end("refused");
      },
      limits: { ...defaultLimits, lingerMs: long },
      tls,
    });
    const { port } = await listener.listen("127.0.0.1", 0);
    const options = { port, host: "127.0.0.1", servername: "localhost", ca: tls.cert, ALPNProtocols: ["http/1.1"], allowHalfOpen: true };
    const socket = connectTls(options as ConnectionOptions);
    await once(socket, "secureConnect");
    socket.write(head("/", 32 * mebibyte));
    await sendBytes(socket, 32 * mebibyte);
    expect(await readUntil(socket, "refused")).toContain(" 200 ");
    socket.destroy();
    await listener.drain(0);
  });

  it("keeps its connection if the rest of the request arrives in time", async () => {
    const { port, asked } = await startRefusing({ lingerMs: long });
    const socket = connect(port, "127.0.0.1");
    for (const path of ["/keep?1", "/keep?2", "/keep?3"]) {
      socket.write(head(path, 1000));
      expect(await readUntil(socket, "refused")).toContain(" 413 ");
      socket.write(Buffer.alloc(1000));
    }
    socket.write(head("/close", 1000));
    expect(await readUntil(socket, "refused")).toContain(" 413 ");
    socket.write(Buffer.alloc(1000));
    await once(socket, "close");
    expect(asked).toEqual(["/keep?1", "/keep?2", "/keep?3", "/close"]);
  });

  it("gets no further response after the last one", async () => {
    const { port, asked } = await startRefusing({ lingerMs: long });
    const socket = connect(port, "127.0.0.1");
    socket.write(head("/close", 1000));
    expect(await readUntil(socket, "refused")).toContain(" 413 ");
    socket.write(Buffer.concat([Buffer.alloc(1000), Buffer.from(head("/smuggled", 0))]));
    await once(socket, "close");
    expect(asked).toEqual(["/close"]);
  });

  for (const path of ["/keep", "/close"]) {
    it(`is cut off if it sends too long (${path})`, async () => {
      const { port } = await startRefusing({ lingerMs: 200 });
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true }).on("error", () => {});
      socket.resume();
      socket.write(head(path, 2 ** 40));
      const dribble = setInterval(() => socket.write("a"), 10);
      await new Promise((resolve) => socket.once("close", resolve));
      clearInterval(dribble);
    });
  }
});

describe("an HTTP/2 client that is still sending when it is answered", () => {
  it("is stopped without an error, and keeps its session", async () => {
    const { port } = await startRefusing({ lingerMs: 200 });
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    const stream = session.request({ ":method": "POST", ":path": "/keep" });
    const dribble = setInterval(() => !stream.destroyed && !stream.closed && stream.write("a"), 10);
    stream.resume();
    const [headers] = (await once(stream, "response")) as [{ ":status": number }];
    await once(stream, "close");
    clearInterval(dribble);
    expect([headers[":status"], stream.rstCode]).toEqual([413, constants.NGHTTP2_NO_ERROR]);
    const next = session.request({ ":method": "POST", ":path": "/keep" });
    next.end();
    await once(next, "response");
    session.destroy();
  });
});
