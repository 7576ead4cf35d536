import { type ClientHttp2Session, connect as connectHttp2, constants } from "node:http2";
import { expect, it } from "vitest";
import { createAnswerQueue } from "../../src/http/answer-queue.ts";
import { sendAnswer } from "../../src/http/json-answer.ts";
import { frame, frameType, frameTypes, getHeaderBlock, goawayCodes, http2Preface, raw, serve, type TestServer, until } from "./support.ts";

const start = Buffer.concat([http2Preface, frame(frameType.settings, 0, 0)]);
const endStream = 1;
const endHeaders = 4;
const limits = { maxUnansweredStreams: 100, unansweredStreamsPerSecond: 10 };

/** A server that responds at once, except for `/never`. */
function serveSome(): Promise<TestServer> {
  return serve((request, response) => {
    if (request.url !== "/never") response.end("ok");
  }, limits);
}

function call(session: ClientHttp2Session, path: string): Promise<number> {
  return new Promise((resolve) => {
    const stream = session.request({ ":path": path });
    stream.on("error", () => {}).on("close", () => resolve(stream.rstCode));
    stream.resume();
    if (path === "/never") session.ping(() => stream.close(constants.NGHTTP2_CANCEL));
  });
}

/** Runs calls of which a share is cancelled. Returns how many were answered, and whether the session is still open. */
async function mixed(total: number, isCancelled: (index: number) => boolean): Promise<{ answered: number; isOpen: boolean }> {
  await using server = await serveSome();
  const session = connectHttp2(`http://127.0.0.1:${server.port}`).on("error", () => {});
  let answered = 0;
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < total) {
      const cancel = isCancelled(next++);
      if ((await call(session, cancel ? "/never" : "/")) === 0 && !cancel) answered += 1;
    }
  };
  await Promise.all(Array.from({ length: 10 }, worker));
  const isOpen = !session.closed && !session.destroyed;
  session.destroy();
  return { answered, isOpen };
}

it("leaves a session open whose client cancels a quarter of its calls", async () => {
  expect(await mixed(2_000, (index) => index % 4 === 0)).toEqual({ answered: 1_500, isOpen: true });
});

it("leaves a session open whose client cancels nearly half of its calls", async () => {
  expect(await mixed(2_000, (index) => index % 20 < 9)).toEqual({ answered: 1_100, isOpen: true });
});

it("leaves a session open whose client completes its calls and then has a hundred time-outs in a row", async () => {
  expect(await mixed(600, (index) => index >= 450)).toEqual({ answered: 450, isOpen: true });
});

/** Each check forgives as many streams as are open then, so a busy machine must not check between the steps of a flood. */
const rarelyChecked = { ...limits, checkIntervalMs: 10_000 };

/** Reads the whole request, then responds without trailers. */
function serveBodies(): Promise<TestServer> {
  return serve((request, response) => {
    request.resume().on("end", () => response.end("ok"));
  }, rarelyChecked);
}

it("leaves a session open whose client sends bodies and gets all responses", async () => {
  await using server = await serveBodies();
  const session = connectHttp2(`http://127.0.0.1:${server.port}`).on("error", () => {});
  const post = (): Promise<number> =>
    new Promise((resolve) => {
      const stream = session.request({ ":path": "/", ":method": "POST" });
      stream.on("error", () => {}).on("close", () => resolve(stream.rstCode));
      stream.resume().end("body");
    });
  for (let round = 0; round < 40; round += 1) {
    expect(new Set(await Promise.all(Array.from({ length: 10 }, post)))).toEqual(new Set([constants.NGHTTP2_NO_ERROR]));
  }
  expect(session.closed).toBe(false);
  session.destroy();
});

/** Answers as JSON methods do, without reading the request. */
function serveJson(): Promise<TestServer> {
  const answers = createAnswerQueue();
  const ok = { status: 200, location: undefined, text: "{}" };
  return serve((request, response) => sendAnswer(request, response, ok, {}, answers), rarelyChecked);
}

const post = Buffer.concat([Buffer.from([0x83, 0x86, 0x84, 0x41, 1, 0x61])]);

it.each([
  { of: "POSTs", start: serveBodies, headers: frame(frameType.headers, endHeaders, 1, post), data: "body" },
  { of: "GETs", start: serveJson, headers: frame(frameType.headers, endHeaders | endStream, 1, getHeaderBlock), data: undefined },
])("ends a flood of $of whose responses the client refuses to read, although it resets them without an error", async (flood) => {
  await using server = await flood.start();
  const noWindow = frame(frameType.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]));
  const client = raw(server.port, Buffer.concat([http2Preface, noWindow]));
  let isClosed = false;
  client.socket.on("end", () => {
    isClosed = true;
  });
  const answers = (): number => frameTypes(client.received()).filter((type) => type === frameType.headers).length;
  // In step, because a server that closes with bytes unread may lose its GOAWAY.
  for (let calls = 0; calls < 600 && !isClosed; calls += 30) {
    const streams = Array.from({ length: 30 }, (_, index) => 2 * (calls + index) + 1);
    for (const stream of streams) {
      const headers = Buffer.from(flood.headers);
      headers.writeUInt32BE(stream, 5);
      client.socket.write(headers);
      if (flood.data !== undefined) client.socket.write(frame(frameType.data, endStream, stream, Buffer.from(flood.data)));
    }
    await until(() => isClosed || answers() >= calls + 30);
    client.socket.write(Buffer.concat(streams.map((stream) => frame(frameType.rstStream, 0, stream, Buffer.alloc(4)))));
  }
  expect(goawayCodes(await client.closed(5000))).toEqual([constants.NGHTTP2_ENHANCE_YOUR_CALM]);
});

it("ends a stream that was reset without an error while nothing reads its request", async () => {
  const times = { responseTimeoutMs: 100, anonymousIdleMs: 200 };
  await using server = await serve((_, response) => response.end("ok"), { ...limits, ...times });
  const noWindow = frame(frameType.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]));
  const get = frame(frameType.headers, endHeaders | endStream, 1, getHeaderBlock);
  const client = raw(server.port, Buffer.concat([http2Preface, noWindow, get]));
  await until(() => frameTypes(client.received()).includes(frameType.headers));
  client.socket.write(frame(frameType.rstStream, 0, 1, Buffer.alloc(4)));
  await client.closed(5000);
});

it("ends a rapid reset with ENHANCE_YOUR_CALM", async () => {
  await using server = await serveSome();
  const pairs: Buffer[] = [];
  for (let stream = 1; stream < 4_000; stream += 2) {
    pairs.push(frame(frameType.headers, endStream | endHeaders, stream, getHeaderBlock));
    pairs.push(frame(frameType.rstStream, 0, stream, Buffer.from([0, 0, 0, 8])));
  }
  const received = await raw(server.port, start, Buffer.concat(pairs)).closed();
  expect(goawayCodes(received)).toEqual([constants.NGHTTP2_ENHANCE_YOUR_CALM]);
});

it("ends a slow reset flood with each reset in its own packet", async () => {
  await using server = await serveSome();
  const client = raw(server.port, start);
  client.socket.setNoDelay(true);
  let stream = 1;
  const never = Buffer.concat([Buffer.from([0x82, 0x86, 0x44, 6]), Buffer.from("/never"), Buffer.from([0x41, 1, 0x61])]);
  const flood = setInterval(() => {
    for (let count = 0; count < 5; count += 1, stream += 2) {
      client.socket.write(frame(frameType.headers, endStream | endHeaders, stream, never));
      client.socket.write(frame(frameType.rstStream, 0, stream, Buffer.from([0, 0, 0, 8])));
    }
  }, 5);
  // What the client keeps sending sometimes makes TCP drop the GOAWAY.
  await client.closed(10_000).finally(() => clearInterval(flood));
});

it("ends a flood of streams that the server must reset", async () => {
  await using server = await serveSome();
  const never = Buffer.concat([Buffer.from([0x83, 0x86, 0x44, 6]), Buffer.from("/never"), Buffer.from([0x41, 1, 0x61])]);
  const pairs: Buffer[] = [];
  for (let stream = 1; stream < 1_000; stream += 2) {
    pairs.push(frame(frameType.headers, endHeaders, stream, never));
    // An increment of 0 is a stream error (RFC 9113, section 6.9).
    pairs.push(frame(8, 0, stream, Buffer.alloc(4)));
  }
  await raw(server.port, start, Buffer.concat(pairs)).closed();
  await until(() => server.listener.connectionCount() === 0);
});
