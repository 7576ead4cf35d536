import { constants } from "node:http2";
import { expect, it } from "vitest";
import { frame, frameType, frameTypes, getHeaderBlock, http2Preface, raw, serve, until } from "./support.ts";

const start = Buffer.concat([http2Preface, frame(frameType.settings, 0, 0)]);
const endStream = 1;
const endHeaders = 4;
const postHeaders = Buffer.concat([Buffer.from([0x83]), getHeaderBlock.subarray(1)]);

function get(streamId: number): Buffer {
  return frame(frameType.headers, endHeaders | endStream, streamId, getHeaderBlock);
}

function reset(streamId: number, code: number): Buffer {
  return frame(frameType.rstStream, 0, streamId, Buffer.from([0, 0, 0, code]));
}

it("handles the streams of one read together", async () => {
  const steps: string[] = [];
  await using server = await serve((_, response) => {
    steps.push("handle");
    queueMicrotask(() => steps.push("after"));
    response.end();
  });
  const client = raw(server.port, start);
  await until(() => client.received().length > 0);
  client.socket.write(Buffer.concat([get(1), get(3), get(5)]));
  await until(() => steps.length === 6);
  expect(steps).toEqual(["handle", "handle", "handle", "after", "after", "after"]);
});

it("handles no stream that was reset in the read that brought it", async () => {
  let handled = 0;
  await using server = await serve((_, response) => {
    handled += 1;
    response.end();
  });
  const codes = [constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_PROTOCOL_ERROR, constants.NGHTTP2_CANCEL];
  const gone = codes.flatMap((code, index) => [get(2 * index + 1), reset(2 * index + 1, code)]);
  const client = raw(server.port, Buffer.concat([start, ...gone, get(7)]));
  await until(() => frameTypes(client.received()).includes(frameType.headers));
  expect(handled).toBe(1);
});

it("ends a request whose body has no bytes", async () => {
  await using server = await serve((request, response) => {
    request.resume().on("end", () => response.end());
  });
  const headers = frame(frameType.headers, endHeaders, 1, postHeaders);
  const client = raw(server.port, Buffer.concat([start, headers, frame(frameType.data, endStream, 1)]));
  await until(() => frameTypes(client.received()).includes(frameType.headers));
});

it("takes a stream whose body has no bytes", async () => {
  let isEnded = false;
  const take: Parameters<typeof serve>[2] = (stream) => {
    stream.resume().on("end", () => {
      isEnded = true;
      stream.respond({}, { endStream: true });
    });
    return true;
  };
  await using server = await serve(() => {}, {}, take);
  const headers = frame(frameType.headers, endHeaders, 1, postHeaders);
  raw(server.port, Buffer.concat([start, headers, frame(frameType.data, endStream, 1)]));
  await until(() => isEnded);
});
