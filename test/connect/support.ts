import * as http from "node:http";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Call, Interceptor } from "../../src/call/call.ts";
import { failureStatus } from "../../src/call/error-details.ts";
import { createMethodTable, type Implementations } from "../../src/call/methods.ts";
import { createRpcHandler, type RpcHandler, type RpcOptions } from "../../src/connect/rpc.ts";
import { Failure, invalidField } from "../../src/error/failure.ts";
import { createBodyBudget } from "../../src/http/body-budget.ts";
import { createJsonReader } from "../../src/protojson/read.ts";
import { takeStreams } from "../../src/server/http2-streams.ts";

export const mebibyte = 2 ** 20;
export const verifyPath = "/keywright.v2alpha1.ApiKeysService/AdminVerifyApiKey";

/** What the last calls saw, for tests that check what a client cannot see. */
export interface Seen {
  readonly calls: Call[];
  readonly reported: unknown[];
}

/** Small implementations whose behaviour the request chooses. All others are UNIMPLEMENTED. */
function implementations(seen: Seen): Implementations<typeof ApiKeysService> {
  const unimplemented = Object.fromEntries(
    ApiKeysService.methods.map((method) => [
      method.localName,
      () => {
        throw new Failure("UNIMPLEMENTED");
      },
    ]),
  );
  return {
    ...(unimplemented as unknown as Implementations<typeof ApiKeysService>),
    async adminVerifyApiKey(request, call) {
      seen.calls.push(call);
      call.setResponseHeader("Cache-Status", "keywright; hit");
      switch (request.credential) {
        case "unknown":
          throw new Failure("KEY_NOT_FOUND");
        case "violation":
          throw invalidField("credential", "must be 100 % printable – and é");
        case "bug":
          throw new Error("secret value of the request");
        case "unwritable":
          // The number has no binary form, the time has no JSON form.
          return { isValid: true, rateLimitRemaining: 1n << 80n, expireTime: { seconds: 1n << 40n } };
        case "slow":
          await new Promise((resolve) => call.signal.addEventListener("abort", resolve));
          throw call.signal.reason;
        // Later than the deadlines of the tests, which end no work.
        case "late":
          await new Promise((resolve) => setTimeout(resolve, 100));
          return { isValid: true };
        case "late bug":
          await new Promise((resolve) => setTimeout(resolve, 100));
          throw new Error("why it took so long");
        default:
          return {
            isValid: true,
            keyId: request.credential,
            actorId: call.protocol,
            issuer: call.clientAddress,
            scopes: request.requiredScopes,
          };
      }
    },
    adminGetIssuedApiKey: (request) => ({ keyId: request.keyId, name: "a key" }),
    adminBatchImportApiKeys: () => ({}),
    getJwks: () => ({}),
  };
}

const authenticate: Interceptor = (next) => async (request, call) => {
  if (call.method.name.startsWith("Admin") && call.requestHeader("authorization") !== "Bearer test") {
    call.setResponseHeader("www-authenticate", "Bearer");
    throw new Failure("UNAUTHENTICATED");
  }
  return await next(request, call);
};

export interface TestServer extends AsyncDisposable {
  readonly http1Port: number;
  readonly http2Port: number;
  readonly seen: Seen;
  readonly rpc: RpcHandler;
}

/** Serves the handler on an HTTP/1.1 and a cleartext HTTP/2 server. */
export async function startServer(options: Partial<RpcOptions> = {}): Promise<TestServer> {
  const seen: Seen = { calls: [], reported: [] };
  const rpc = createRpcHandler({
    methods: createMethodTable(ApiKeysService, implementations(seen), [authenticate]),
    admit: () => {},
    openMethods: new Map(),
    streams: [],
    json: createJsonReader({ unknownFields: "reject", presenceMasks: new Map() }),
    bodies: createBodyBudget({ maxBytes: 128 * mebibyte, maxAnonymousBytes: 128 * mebibyte, maxInflations: 2 }),
    trustedProxies: [],
    maxBytes: (method) => (method.name === "AdminBatchImportApiKeys" ? 16 : 1) * mebibyte,
    maxStreamMessageBytes: 64 * 1024,
    shutdownSignal: new AbortController().signal,
    statusOf: failureStatus,
    reportError: (error) => seen.reported.push(error),
    ...options,
  });
  const http1 = createServer(rpc.handler);
  const http2 = createHttp2Server(rpc.handler);
  takeStreams(http2, rpc.streamHandler);
  const sessions = new Set<ServerHttp2Session>();
  http2.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  });
  const [http1Port, http2Port] = await Promise.all([listen(http1), listen(http2)]);
  return {
    http1Port,
    http2Port,
    seen,
    rpc,
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      http1.closeAllConnections();
      await Promise.all([close(http1), close(http2)]);
    },
  };
}

async function listen(server: Server | Http2Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

function close(server: Server | Http2Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

export interface RawRequest {
  readonly method?: string;
  readonly path?: string;
  readonly headers: Record<string, string>;
  readonly body?: Uint8Array | string;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly trailers: Record<string, string>;
  readonly body: Buffer;
}

export type HttpVersion = "http1" | "http2";

/** Sends bytes unchanged and collects the whole response. */
export function send(server: TestServer, version: HttpVersion, request: RawRequest): Promise<RawAnswer> {
  return version === "http1" ? sendHttp1(server.http1Port, request) : sendHttp2(server.http2Port, request);
}

function sendHttp1(port: number, { method = "POST", path = verifyPath, headers, body }: RawRequest): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ port, host: "127.0.0.1", method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const { statusCode = 0, trailers } = response;
        resolve({ status: statusCode, headers: plain(response.headers), trailers: plain(trailers), body: Buffer.concat(chunks) });
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}

function sendHttp2(port: number, { method = "POST", path = verifyPath, headers, body }: RawRequest): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    session.on("error", reject);
    const stream = session.request({ ":method": method, ":path": path, ...headers });
    const chunks: Buffer[] = [];
    let received: IncomingHttpHeaders & { ":status"?: number } = {};
    let trailers = {};
    stream.on("response", (response) => {
      received = response;
    });
    stream.on("trailers", (sent) => {
      trailers = sent;
    });
    stream.on("data", (chunk) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("close", () => {
      session.close();
      resolve({ status: received[":status"] ?? 0, headers: plain(received), trailers: plain(trailers), body: Buffer.concat(chunks) });
    });
    stream.end(body);
  });
}

/** The headers of a response, without those that depend on the connection or the time. */
function plain(headers: object): Record<string, string> {
  const left = Object.entries(headers).filter(
    ([name]) => !["date", ":status", "connection", "keep-alive", "transfer-encoding"].includes(name),
  );
  return Object.fromEntries(left.map(([name, value]) => [name, String(value)]));
}

/** A gRPC message in its envelope. `byteLength` is the length that the envelope states. */
export function envelope(message: Uint8Array, flags = 0, byteLength = message.length): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(byteLength, 1);
  return Buffer.concat([head, message]);
}
