import { request as http1Request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { HttpHandler, StreamHandler } from "../../src/http/message.ts";
import { defaultLimits, type ListenerLimits } from "../../src/server/limits.ts";
import { createListener, type Listener } from "../../src/server/listener.ts";

/** Short times, so that a test can wait for them. */
export const quickLimits: ListenerLimits = {
  ...defaultLimits,
  headersTimeoutMs: 300,
  requestTimeoutMs: 600,
  responseTimeoutMs: 600,
  keepAliveIdleMs: 5_000,
  sessionIdleMs: 1_500,
  lingerMs: 200,
  checkIntervalMs: 50,
  anonymousIdleMs: 1_500,
  maxUnansweredStreams: 100,
  unansweredStreamsPerSecond: 10,
};

/** No limit here ends a connection while a test runs, so a connection that ends does so for another reason. */
export const longTimes = {
  ...{ headersTimeoutMs: 120_000, requestTimeoutMs: 120_000, responseTimeoutMs: 120_000 },
  ...{ keepAliveIdleMs: 120_000, sessionIdleMs: 120_000, anonymousIdleMs: 120_000 },
} satisfies Partial<ListenerLimits>;

export interface TestServer extends AsyncDisposable {
  readonly listener: Listener;
  readonly port: number;
}

export async function serve(
  handler: HttpHandler,
  limits: Partial<ListenerLimits> = {},
  streamHandler?: StreamHandler,
): Promise<TestServer> {
  const listener = createListener({ handler, streamHandler, limits: { ...quickLimits, ...limits } });
  const { port } = await listener.listen("127.0.0.1", 0);
  return { listener, port, [Symbol.asyncDispose]: () => listener.drain(0) };
}

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

/** Sends one HTTP/1.1 request on its own connection. */
export function askHttp1(port: number, path = "/", method = "GET", headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http1Request({ host: "127.0.0.1", port, path, method, headers, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    request.on("error", reject).end();
  });
}

/** Sends one HTTP/2 request on its own connection. */
export function askHttp2(port: number, path = "/", headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`).on("error", reject);
    let body = "";
    let answered: Record<string, string | string[] | undefined> = {};
    const stream = session.request({ ":path": path, ...headers });
    stream.on("error", reject).on("response", (got) => {
      answered = got as typeof answered;
    });
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      body += chunk;
    });
    stream.on("end", () => {
      session.close();
      resolve({ status: Number(answered[":status"]), headers: answered, body });
    });
    stream.end();
  });
}

export interface RawClient {
  readonly socket: Socket;
  /** Returns what has arrived so far. */
  received(): Buffer;
  /** Resolves with all that arrived once the server has closed. Rejects after `withinMs`. */
  closed(withinMs?: number): Promise<Buffer>;
}

/** A raw connection that sends the given pieces. */
export function raw(port: number, ...pieces: readonly (string | Buffer)[]): RawClient {
  const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  const chunks: Buffer[] = [];
  let isClosed = false;
  const onClosed = new Promise<void>((resolve) => {
    const finish = (): void => {
      isClosed = true;
      resolve();
    };
    socket.on("end", finish).on("close", finish);
  });
  socket.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", () => {});
  for (const piece of pieces) socket.write(piece);
  return {
    socket,
    received: () => Buffer.concat(chunks),
    async closed(withinMs = 20_000) {
      await Promise.race([onClosed, sleep(withinMs)]);
      if (!isClosed)
        throw new Error(`still open after ${withinMs} ms, having sent ${JSON.stringify(Buffer.concat(chunks).toString("latin1"))}`);
      socket.destroy();
      return Buffer.concat(chunks);
    },
  };
}

export async function until(condition: () => boolean, withinMs = 20_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error("not in time");
    await sleep(10);
  }
}

export const http2Preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
export const frameType = { data: 0, headers: 1, rstStream: 3, settings: 4, ping: 6, goaway: 7, continuation: 9 };

/** One HTTP/2 frame (RFC 9113, section 4.1). */
export function frame(type: number, flags: number, streamId: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** Header block of `GET / http` with an authority (RFC 7541). */
export const getHeaderBlock = Buffer.concat([Buffer.from([0x82, 0x86, 0x84, 0x41, 9]), Buffer.from("localhost")]);

/** The frames in `bytes`; the last one may be cut. */
export function framesOf(bytes: Buffer): { readonly type: number; readonly payload: Buffer }[] {
  const frames: { type: number; payload: Buffer }[] = [];
  for (let at = 0; at + 9 <= bytes.length; ) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    frames.push({ type: bytes.readUInt8(at + 3), payload: bytes.subarray(at + 9, end) });
    at = end;
  }
  return frames;
}

/** The frames a server sent, by type. */
export function frameTypes(bytes: Buffer): number[] {
  return framesOf(bytes).map(({ type }) => type);
}

/** Returns the error codes of the GOAWAY frames that a server sent. */
export function goawayCodes(bytes: Buffer): number[] {
  const codes: number[] = [];
  for (let at = 0; at + 17 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    if (bytes.readUInt8(at + 3) === frameType.goaway) codes.push(bytes.readUInt32BE(at + 13));
  }
  return codes;
}
