import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { expect, it } from "vitest";
import { startServerHere } from "../support/server-here.ts";
import { frame, frameType, frameTypes, http2Preface, raw, until } from "./support.ts";

/** No DATA may be sent on a stream, so no response with a body can end. */
const noWindow = frame(frameType.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]));
const endStreamAndHeaders = 5;

/** Header block of a request without a body. */
function requestFor(method: number, path: string, contentType: string): Buffer {
  const literal = (text: string): Buffer => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
  // Indexed names (RFC 7541, appendix A): 2 and 3 are GET and POST, 4 is :path, 1 is :authority, 31 is content-type.
  return Buffer.concat([
    Buffer.from([0x80 | method, 0x86, 0x04]),
    literal(path),
    Buffer.from([0x01]),
    literal("localhost"),
    Buffer.from([0x0f, 31 - 15]),
    literal(contentType),
  ]);
}

const get = 2;
const post = 3;
const verify = "/keywright.v2alpha1.ApiKeysService/VerifyApiKey";

const requests = [
  { method: get, path: "/.well-known/jwks.json", contentType: "a/b" },
  { method: get, path: "/", contentType: "a/b" },
  { method: get, path: "/health/ready", contentType: "a/b" },
  { method: get, path: "/unknown", contentType: "a/b" },
  { method: get, path: "/gateway/verify", contentType: "a/b" },
  { method: get, path: "/v2alpha1/oauth2/introspect", contentType: "a/b" },
  { method: get, path: `${verify}?connect=v1&encoding=json&message=%7B%7D`, contentType: "a/b" },
  { method: post, path: verify, contentType: "a/b" },
  { method: post, path: verify, contentType: "application/json" },
  { method: post, path: verify, contentType: "application/grpc-web" },
  { method: post, path: verify, contentType: "application/grpc" },
  { method: post, path: "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", contentType: "application/grpc" },
];

it("closes every stream whose client does not read the response and resets it without an error", async () => {
  const opened = new Map<string, ServerHttp2Stream>();
  const remember = (message: unknown): void => {
    const { stream, headers } = message as { stream: ServerHttp2Stream; headers: IncomingHttpHeaders };
    opened.set(`${headers[":path"]} ${headers["content-type"]}`, stream);
  };
  subscribe("http2.server.stream.created", remember);
  await using server = await startServerHere();
  const client = raw(Number(new URL(server.url).port), Buffer.concat([http2Preface, noWindow]));
  try {
    for (const [index, { method, path, contentType }] of requests.entries()) {
      client.socket.write(frame(frameType.headers, endStreamAndHeaders, 2 * index + 1, requestFor(method, path, contentType)));
    }
    const answered = (): number => frameTypes(client.received()).filter((type) => type === frameType.headers).length;
    await until(() => answered() === requests.length);
    client.socket.write(Buffer.concat(requests.map((_, index) => frame(frameType.rstStream, 0, 2 * index + 1, Buffer.alloc(4)))));
    const open = (): string[] => [...opened].filter(([, stream]) => !stream.destroyed).map(([name]) => name);
    await until(() => open().length === 0, 3000).catch(() => {});
    expect(opened.size).toBe(requests.length);
    expect(open()).toEqual([]);
  } finally {
    unsubscribe("http2.server.stream.created", remember);
    client.socket.destroy();
  }
});
