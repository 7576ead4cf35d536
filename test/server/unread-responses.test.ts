import type { ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import { endInPieces } from "../../src/http/end-in-pieces.ts";
import type { HttpHandler } from "../../src/http/message.ts";
import { frame, frameType, frameTypes, http2Preface, longTimes, raw, serve, until } from "./support.ts";

/** More than the buffers of the system hold. */
const large = Buffer.alloc(32 * 1024 * 1024);

const sendLarge: HttpHandler = (request, response) => {
  request.resume();
  response.setHeader("content-length", large.length);
  endInPieces(response, large);
};

/** Nothing but the time for reading a response ends the connection. */
const limits = { ...longTimes, responseTimeoutMs: 300 };

/** As a stream of messages does: it waits until the client has read what is there. */
const sendWithoutEnd: HttpHandler = (request, response) => {
  request.resume();
  (response as ServerResponse).write(large);
};

describe.each([
  ["in pieces", sendLarge],
  ["without an end", sendWithoutEnd],
])("a response %s that is not read in time", (_name, handler) => {
  it("ends with its HTTP/1.1 connection", async () => {
    await using server = await serve(handler, limits);
    const client = raw(server.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.socket.once("data", () => client.socket.pause());
    await until(() => client.received().length > 0);
    await until(() => server.listener.connectionCount() === 0);
  });

  it("ends with its HTTP/2 stream", async () => {
    await using server = await serve(handler, limits);
    const block = Buffer.concat([Buffer.from([0x82, 0x86, 0x84, 0x41, 1]), Buffer.from("a")]);
    const client = raw(server.port, Buffer.concat([http2Preface, frame(frameType.settings, 0, 0), frame(frameType.headers, 5, 1, block)]));
    await until(() => frameTypes(client.received()).includes(frameType.rstStream));
    client.socket.destroy();
  });
});

it("a response that fills its room again as soon as its client has read goes on", async () => {
  const startMs = performance.now();
  const sendOn: HttpHandler = (request, response) => {
    request.resume();
    const writer = response as ServerResponse;
    const fill = (): void => {
      if (performance.now() - startMs > 4 * limits.responseTimeoutMs) writer.end("the end");
      else {
        writer.write(Buffer.alloc(256 * 1024));
        writer.once("drain", fill);
      }
    };
    fill();
  };
  await using server = await serve(sendOn, limits);
  const response = await fetch(`http://127.0.0.1:${server.port}/`);
  let last = Buffer.alloc(0);
  for await (const piece of response.body ?? []) last = Buffer.concat([last, piece]).subarray(-7);
  expect(last.toString()).toBe("the end");
});
