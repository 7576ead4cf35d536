import { once } from "node:events";
import { connect, createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
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
