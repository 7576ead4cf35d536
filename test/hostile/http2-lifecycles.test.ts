import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { ServerHttp2Stream } from "node:http2";
import { expect, test } from "vitest";
import { until } from "../support/cache-listener.ts";
import { startServerHere } from "../support/server-here.ts";
import { flags, frame, frameTypes, headerBlock, http2Exchange, preface } from "./http2-wire.ts";
import { createRandom, type Random } from "./random.ts";

const service = "/keywright.v2alpha1.ApiKeysService";
const paths = [
  ...["AdminVerifyApiKey", "GetJwks", "RevokeApiKey", "AdminIssueApiKey", "Unknown"].map((method) => `${service}/${method}`),
  ...[
    "/a.B/C",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
  ],
  ...["/envoy.service.auth.v3.Authorization/Check", "/v2alpha1/admin/apiKeys:verify", "/v2alpha1/admin/issuedApiKeys"],
  ...["/v2alpha1/oauth2/introspect", "/gateway/verify", "/docs/", "/", "/health/ready", "/.well-known/jwks.json", "*", "", "x"],
];
const queries = ["", "", "?x=1", "?encoding=json&message=%7B%7D&connect=v1"];
const methods = ["POST", "POST", "POST", "GET", "CONNECT", "OPTIONS", "HEAD", "PATCH", "TRACE"];
const types = ["grpc", "grpc+json", "grpc-web", "grpc-web-text", "json", "proto", "connect+json", "x-www-form-urlencoded"];
const bodies = ["", "\0\0\0\0\0", "\0\0\0\0\x03\n\x01x", '{"credential":"x"}', "{", "token=x", "\x01\0\0\0\x01x"];
const otherHeaders: readonly (readonly [name: string, value: string])[] = [
  ["expect", "100-continue"],
  ["expect", "other"],
  ["origin", "https://app.example"],
  ["access-control-request-method", "POST"],
  ["te", "trailers"],
  ["grpc-timeout", "1n"],
  ["grpc-timeout", "1m"],
  ["grpc-encoding", "gzip"],
  ["content-length", "3"],
  ["connection", "close"],
];

/** The frames of one stream: any request, often cut off, with trailers or reset. */
function streamFrames(random: Random, streamId: number, token: string): Buffer[] {
  const method = random.pick(methods);
  const headers: (readonly [string, string])[] = [[":method", method]];
  if (method !== "CONNECT" || random.chance(0.6)) {
    headers.push([":scheme", "http"], [":path", random.pick(paths) + random.pick(queries)]);
  }
  headers.push([":authority", random.pick(["x", "keys.example", ""])], ["content-type", `application/${random.pick(types)}`]);
  if (random.chance(0.6)) headers.push(["authorization", `Bearer ${random.pick([token, "wrong"])}`]);
  for (const header of otherHeaders) if (random.chance(0.1)) headers.push(header);

  const isWhole = random.chance(0.25);
  const frames = [frame(frameTypes.headers, flags.endHeaders | (isWhole ? flags.endStream : 0), streamId, headerBlock(headers))];
  for (let count = isWhole ? 0 : random.below(3); count > 0; count -= 1) {
    frames.push(frame(frameTypes.data, random.chance(0.5) ? flags.endStream : 0, streamId, Buffer.from(random.pick(bodies), "latin1")));
  }
  if (random.chance(0.1)) {
    frames.push(frame(frameTypes.headers, flags.endHeaders | flags.endStream, streamId, headerBlock([["x-trailer", "1"]])));
  }
  if (random.chance(0.6)) frames.push(frame(frameTypes.reset, 0, streamId, Buffer.from([0, 0, 0, random.pick([0, 0, 2, 8])])));
  return frames;
}

test("HTTP/2 streams of any request that end in any order cause no error, and are closed with their connections", {
  timeout: 60_000,
}, async () => {
  const streams: ServerHttp2Stream[] = [];
  const note = (message: unknown): void => void streams.push((message as { stream: ServerHttp2Stream }).stream);
  subscribe("http2.server.stream.created", note);
  try {
    await using server = await startServerHere();
    const random = createRandom(7);
    const noWindow = Buffer.from([0, 4, 0, 0, 0, 0]);
    const attack = (): Promise<unknown> => {
      const frames = [preface, frame(frameTypes.settings, 0, 0, random.chance(0.3) ? noWindow : undefined)];
      for (let count = 1 + random.below(12); count > 0; count -= 1) {
        frames.push(...streamFrames(random, 2 * frames.length + 1, server.adminToken));
      }
      // Some clients leave before they have an answer.
      return http2Exchange(server.port, Buffer.concat(frames), 1 + random.below(60));
    };
    for (let round = 0; round < 40; round += 1) await Promise.all(Array.from({ length: 8 }, attack));
    await until(() => streams.every(({ destroyed }) => destroyed), "every stream is closed");
    expect(streams.length).toBeGreaterThan(300);
    expect(server.output().match(/^\{"level":"(?:error|fatal)".*$/gm)).toBeNull();
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
  } finally {
    unsubscribe("http2.server.stream.created", note);
  }
});
