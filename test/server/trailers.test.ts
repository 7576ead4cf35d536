import { once } from "node:events";
import { connect, constants, createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { createLastingTrailers, type Trailers } from "../../src/http/trailers.ts";

/** Answers calls with these trailers, one after another. Returns the trailers that a client gets, and whether Node encoded them. */
async function answered(trailers: Trailers, calls: number): Promise<{ trailers: IncomingHttpHeaders; byNode: boolean }[]> {
  const server = createServer().listen(0, "127.0.0.1");
  const streams: ServerHttp2Stream[] = [];
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.respond({ ":status": 200 }, { waitForTrailers: true });
    stream.on("wantTrailers", trailers.send);
    streams.push(stream);
    stream.resume().end("body");
  });
  await once(server, "listening");
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const got: IncomingHttpHeaders[] = [];
  for (let call = 0; call < calls; call += 1) {
    const request = client.request({ ":method": "POST" });
    request.resume().end("x");
    const [[fields]] = await Promise.all([once(request, "trailers"), once(request, "close")]);
    got.push(fields as IncomingHttpHeaders);
  }
  client.close();
  await once(client, "close");
  server.close();
  return got.map((each, index) => ({
    trailers: Object.fromEntries(Object.entries(each)),
    byNode: streams[index]?.sentTrailers !== undefined,
  }));
}

it("sends lasting trailers as Node encoded them for the first response", async () => {
  const fields = { "grpc-status": "0", "x-more": "a, b" };
  const results = await answered(createLastingTrailers(fields), 3);
  expect(results).toEqual([
    { trailers: fields, byNode: true },
    { trailers: fields, byNode: false },
    { trailers: fields, byNode: false },
  ]);
});

const fields = { "grpc-status": "0" };

/** Answers calls with these trailers. `before` runs between the end of a response and its trailers. Returns the codes of the streams. */
async function codesOf(trailers: Trailers, calls: number, before: (stream: ServerHttp2Stream, index: number) => void): Promise<number[]> {
  const server = createServer().listen(0, "127.0.0.1");
  let started = 0;
  server.on("stream", (stream: ServerHttp2Stream) => {
    const index = started;
    started += 1;
    stream.respond({ ":status": 200 }, { waitForTrailers: true });
    stream.on("wantTrailers", () => before(stream, index)).on("wantTrailers", trailers.send);
    stream.on("error", () => {});
    stream.resume().end("body");
  });
  await once(server, "listening");
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const codes = await Promise.all(
    Array.from({ length: calls }, async () => {
      const request = client.request({ ":method": "POST" }).on("error", () => {});
      request.resume().end("x");
      await new Promise((resolve) => request.on("close", resolve));
      return request.rstCode;
    }),
  );
  client.close();
  await once(client, "close");
  server.close();
  return codes;
}

it("sends lasting trailers for first responses that end together, and on another session", async () => {
  const trailers = createLastingTrailers(fields);
  expect(await codesOf(trailers, 5, () => {})).toEqual([0, 0, 0, 0, 0]);
  expect(await answered(trailers, 2)).toEqual([
    { trailers: fields, byNode: false },
    { trailers: fields, byNode: false },
  ]);
});

it("sends nothing on a stream that was reset between its end and its trailers", async () => {
  const trailers = createLastingTrailers(fields);
  await answered(trailers, 1);
  const reset = (stream: ServerHttp2Stream, index: number): void => {
    if (index === 1) stream.close(constants.NGHTTP2_CANCEL);
  };
  expect((await codesOf(trailers, 3, reset)).sort()).toEqual([0, 0, constants.NGHTTP2_CANCEL]);
});

it.each<[string, object]>([
  ["has no native part", {}],
  ["refuses them", { trailers: () => -1 }],
])("closes a stream that %s, because its client would wait", async (_, part) => {
  const trailers = createLastingTrailers(fields);
  await answered(trailers, 1);
  const replace = (stream: ServerHttp2Stream): void => {
    const key = Object.getOwnPropertySymbols(stream).find(({ description }) => description === "kHandle") as symbol;
    const streams = stream as unknown as Record<symbol, object>;
    const native = streams[key] as object;
    // `close` needs the rest of the native part.
    streams[key] = new Proxy(native, { get: (_, name) => (name === "trailers" ? Reflect.get(part, name) : bound(native, name)) });
  };
  expect(await codesOf(trailers, 1, replace)).toEqual([constants.NGHTTP2_INTERNAL_ERROR]);
});

function bound(target: object, name: string | symbol): unknown {
  const value = Reflect.get(target, name);
  return typeof value === "function" ? value.bind(target) : value;
}
