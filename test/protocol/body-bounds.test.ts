import { connect, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HealthCheckRequestSchema } from "../../gen/grpc/health/v1/health_pb.ts";
import { SelfRevokeApiKeyRequestSchema } from "../../gen/keywright/v2alpha1/revocation_pb.ts";
import { BatchVerifyApiKeysRequestSchema, BatchVerifyApiKeysResponseSchema } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import { http1Client, http2Client, type WireClient } from "../hostile/clients.ts";
import { startServerHere } from "../support/server-here.ts";
import type { RunningServer } from "../support/server-process.ts";

let server: RunningServer;
beforeAll(async () => {
  server = await startServerHere();
});
afterAll(() => server?.[Symbol.asyncDispose]());

const service = "/keywright.v2alpha1.ApiKeysService";
const revokePath = `${service}/RevokeApiKey`;

type Headers = [string, string][];

async function send(over: 1 | 2, method: string, path: string, headers: Headers, body?: Buffer) {
  const client: WireClient = over === 1 ? http1Client(server.port) : http2Client(server.url);
  try {
    const outcome = await client.send({ method, path, headers, ...(body && { body }) });
    if (typeof outcome === "string") throw new Error(outcome);
    return outcome;
  } finally {
    client.close();
  }
}

function envelope(message: Uint8Array, flag = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

const credentialOf = (byteLength: number) => "x".repeat(byteLength);
const jsonOf = (byteLength: number) => Buffer.from(JSON.stringify({ credential: credentialOf(byteLength), reason: 3 }));
const protoOf = (byteLength: number) =>
  Buffer.from(
    toBinary(SelfRevokeApiKeyRequestSchema, create(SelfRevokeApiKeyRequestSchema, { credential: credentialOf(byteLength), reason: 3 })),
  );
const checkOf = (byteLength: number) =>
  Buffer.from(toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema, { service: credentialOf(byteLength) })));
const type = (contentType: string): Headers => [["content-type", contentType]];

/** Each way to send a message to a public method, and how it reports that a message is too large. */
const ways: [string, (byteLength: number) => ReturnType<typeof send>, (answer: Awaited<ReturnType<typeof send>>) => boolean][] = [
  ["JSON/HTTP", (n) => send(1, "POST", "/v2alpha1/apiKeys:selfRevoke", type("application/json"), jsonOf(n)), is("BODY_TOO_LARGE")],
  ["JSON/HTTP, HTTP/2", (n) => send(2, "POST", "/v2alpha1/apiKeys:selfRevoke", type("application/json"), jsonOf(n)), is("BODY_TOO_LARGE")],
  ["Connect", (n) => send(1, "POST", revokePath, type("application/proto"), protoOf(n)), is("resource_exhausted")],
  [
    "Connect, gzip",
    (n) => send(1, "POST", revokePath, [...type("application/json"), ["content-encoding", "gzip"]], gzipSync(jsonOf(n))),
    is("resource_exhausted"),
  ],
  ["gRPC", (n) => send(2, "POST", revokePath, type("application/grpc"), envelope(protoOf(n))), ({ grpcStatus }) => grpcStatus === "8"],
  [
    "gRPC, gzip",
    (n) => send(2, "POST", revokePath, [...type("application/grpc"), ["grpc-encoding", "gzip"]], envelope(gzipSync(protoOf(n)), 1)),
    ({ grpcStatus }) => grpcStatus === "8",
  ],
  ["gRPC-Web", (n) => send(1, "POST", revokePath, type("application/grpc-web+proto"), envelope(protoOf(n))), isWeb("8")],
  [
    "gRPC-Web, text",
    (n) => send(1, "POST", revokePath, type("application/grpc-web-text"), text(envelope(protoOf(n)))),
    ({ body }) => isWeb("8")({ body: Buffer.from(body.toString(), "base64") }),
  ],
  [
    "Connect GET, gzip",
    (n) => {
      const message = gzipSync(
        Buffer.concat([Buffer.from("7a", "hex"), Buffer.from([0x80 | (n & 127), n >> 7]), Buffer.alloc(n)]),
      ).toString("base64url");
      return send(1, "GET", `${service}/GetJwks?connect=v1&encoding=proto&base64=1&compression=gzip&message=${message}`, []);
    },
    is("resource_exhausted"),
  ],
  [
    "gRPC health",
    (n) => send(2, "POST", "/grpc.health.v1.Health/Check", type("application/grpc"), envelope(checkOf(n))),
    ({ grpcStatus }) => grpcStatus === "8",
  ],
  [
    "gRPC reflection, a stream",
    // The response keeps the stream open, so what is sent is not a message.
    (n) => {
      const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
      return send(2, "POST", path, type("application/grpc"), envelope(Buffer.alloc(n, 0xff)));
    },
    ({ grpcStatus }) => grpcStatus === "8",
  ],
  [
    "gRPC-Web health, a stream of text",
    (n) => send(1, "POST", "/grpc.health.v1.Health/Watch", type("application/grpc-web-text"), text(envelope(Buffer.alloc(n, 0xff)))),
    ({ body }) => isWeb("8")({ body: Buffer.from(body.toString(), "base64") }),
  ],
];

function text(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString("base64"));
}

function is(text: string) {
  return ({ body }: Awaited<ReturnType<typeof send>>) => body.toString().includes(text);
}

function isWeb(code: string) {
  return ({ grpcStatus, body }: Pick<Awaited<ReturnType<typeof send>>, "grpcStatus" | "body">) =>
    grpcStatus === code || body.toString("latin1").includes(`grpc-status: ${code}`);
}

test.each(ways)("public methods accept at most 16 KiB over %s", async (_name, sendBytes, isTooLarge) => {
  expect(isTooLarge(await sendBytes(15 * 1024))).toBe(false);
  expect(isTooLarge(await sendBytes(16 * 1024 + 300))).toBe(true);
});

test.each(["JSON/HTTP", "gRPC"])("a batch verification may have 100 credentials of the maximum size over %s", async (protocol) => {
  const item = { credential: credentialOf(65_536), requiredScopes: Array.from({ length: 100 }, () => "s".repeat(256)) };
  const requests = Array.from({ length: 100 }, () => item);
  const authorized: Headers = [["authorization", `Bearer ${server.adminToken}`]];
  if (protocol === "gRPC") {
    const message = toBinary(BatchVerifyApiKeysRequestSchema, create(BatchVerifyApiKeysRequestSchema, { requests }));
    const answer = await send(
      2,
      "POST",
      `${service}/AdminBatchVerifyApiKeys`,
      [...authorized, ...type("application/grpc")],
      envelope(message),
    );
    expect(answer.grpcStatus).toBe("0");
    expect(fromBinary(BatchVerifyApiKeysResponseSchema, answer.body.subarray(5)).results.length).toBe(100);
    return;
  }
  const body = Buffer.from(JSON.stringify({ requests }));
  const answer = await send(1, "POST", "/v2alpha1/admin/apiKeys:batchVerify", [...authorized, ...type("application/json")], body);
  expect(answer.httpStatus).toBe(200);
  expect(JSON.parse(answer.body.toString()).results.length).toBe(100);
});

describe("an HTTP/1.1 client that reads the response only after its last byte gets one", () => {
  const mebibytes = 8;
  const verify = "/v2alpha1/admin/apiKeys:verify";
  const cases: [string, string, string, string, boolean, RegExp][] = [
    ["401, JSON/HTTP", "POST", verify, "application/json", false, /^HTTP\/1.1 401 .*UNAUTHENTICATED/s],
    ["401, Connect", "POST", `${service}/AdminVerifyApiKey`, "application/json", false, /^HTTP\/1.1 401 .*unauthenticated/s],
    ["401, gRPC-Web", "POST", `${service}/AdminVerifyApiKey`, "application/grpc-web", false, /^HTTP\/1.1 200 .*grpc-status: ?16/s],
    ["404", "POST", "/nothing", "application/json", true, /^HTTP\/1.1 404 /],
    ["405", "PUT", verify, "application/json", true, /^HTTP\/1.1 405 /],
    ["405, Connect", "PUT", `${service}/AdminVerifyApiKey`, "application/json", true, /^HTTP\/1.1 405 /],
    ["405, health", "POST", "/health/alive", "application/json", true, /^HTTP\/1.1 405 /],
    ["415, Connect", "POST", `${service}/AdminVerifyApiKey`, "text/plain", true, /^HTTP\/1.1 415 /],
    ["413, JSON/HTTP", "POST", verify, "application/json", true, /^HTTP\/1.1 413 .*BODY_TOO_LARGE/s],
    ["413, Connect", "POST", `${service}/AdminVerifyApiKey`, "application/json", true, /^HTTP\/1.1 429 .*resource_exhausted/s],
    ["413, JSON/HTTP, public", "POST", "/v2alpha1/apiKeys:selfRevoke", "application/json", false, /^HTTP\/1.1 413 .*BODY_TOO_LARGE/s],
  ];
  for (const connection of ["keep-alive", "close"]) {
    test.each(cases)(`%s, connection: ${connection}`, async (_name, method, path, contentType, isAuthorized, expected) => {
      const socket = connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: true });
      const lines = [
        `${method} ${path} HTTP/1.1`,
        "Host: a",
        `Content-Type: ${contentType}`,
        `Content-Length: ${mebibytes * 2 ** 20}`,
        `Connection: ${connection}`,
        ...(isAuthorized ? [`Authorization: Bearer ${server.adminToken}`] : []),
      ];
      socket.write(`${lines.join("\r\n")}\r\n\r\n`);
      await sendAll(socket, mebibytes);
      expect(await readAnswer(socket, expected)).toMatch(expected);
      socket.destroy();
    });
  }
});

async function sendAll(socket: Socket, mebibytes: number): Promise<void> {
  const piece = Buffer.alloc(2 ** 20, 32);
  for (let sent = 0; sent < mebibytes; sent++) {
    await new Promise<void>((resolve, reject) => socket.write(piece, (error) => (error ? reject(error) : resolve())));
  }
}

async function readAnswer(socket: Socket, expected: RegExp): Promise<string> {
  let received = "";
  socket.setEncoding("latin1");
  for await (const piece of socket.iterator({ destroyOnReturn: false })) {
    received += piece;
    if (expected.test(received)) break;
  }
  return received;
}
