import { once } from "node:events";
import { connect, constants, type IncomingHttpHeaders } from "node:http2";
import { createConnection } from "node:net";
import { text } from "node:stream/consumers";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { credentials, makeGenericClientConstructor, type ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { flags, frame, frameTypes, headerBlock, http2Exchange, preface } from "../hostile/http2-wire.ts";
import { startServerHere } from "../support/server-here.ts";
import type { RunningServer } from "../support/server-process.ts";

let server: RunningServer;
beforeAll(async () => {
  server = await startServerHere();
});
afterAll(() => server?.[Symbol.asyncDispose]());

const unknownService = "/nobodys.v1.Service/Method";
const unknownMethod = `/${ApiKeysService.typeName}/Nothing`;
const knownMethod = `/${ApiKeysService.typeName}/AdminVerifyApiKey`;
const emptyFrame = Buffer.alloc(5);

interface Frames {
  readonly headers: IncomingHttpHeaders & { ":status"?: number };
  /** True if the first HEADERS frame was also the last frame. */
  readonly isSingle: boolean;
  readonly body: string;
}

function ask(path: string, headers: Record<string, string>, body?: Uint8Array): Promise<Frames> {
  return new Promise((resolve, reject) => {
    const session = connect(server.url).on("error", reject);
    const stream = session.request({ ":method": "POST", ":path": path, te: "trailers", ...headers }).on("error", reject);
    let received: IncomingHttpHeaders = {};
    let isSingle = false;
    let text = "";
    stream.on("response", (head, flags) => {
      received = head;
      isSingle = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    });
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    stream.on("close", () => {
      session.close();
      resolve({ headers: received, isSingle, body: text });
    });
    stream.end(body);
  });
}

function reasonOf({ headers }: Frames): string | undefined {
  const status = fromBinary(StatusSchema, Buffer.from(String(headers["grpc-status-details-bin"] ?? ""), "base64"));
  return status.details[0] && anyUnpack(status.details[0], ErrorInfoSchema)?.reason;
}

test.each([
  ["a query", `/${ApiKeysService.typeName}/GetJwks?x=1`, {}],
  ["a query at the health service", "/grpc.health.v1.Health/Check?x=1", {}],
  ["an expectation", `/${ApiKeysService.typeName}/GetJwks`, { expect: "100-continue" }],
])("a call with %s, which is not served as a bare stream, ends with one set of trailers", async (_, path, headers) => {
  const session = connect(server.url);
  const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers", ...headers });
  const [trailers] = (await Promise.all([once(stream, "trailers"), once(stream.resume().end(emptyFrame), "close")]))[0];
  expect(trailers).toMatchObject({ "grpc-status": "0" });
  session.close();
});

test("a gRPC call over HTTP/1.0, which has no trailers, is refused", async () => {
  const socket = createConnection(server.port, "127.0.0.1");
  const lines = [
    `POST /${ApiKeysService.typeName}/GetJwks HTTP/1.0`,
    "Host: x",
    "Content-Type: application/grpc",
    "Content-Length: 5",
    "",
    "",
  ];
  socket.write(Buffer.concat([Buffer.from(lines.join("\r\n")), emptyFrame]));
  const answer = await text(socket);
  expect(answer).toMatch(/^HTTP\/1\.1 426 /);
  expect(answer).toMatch(/\r\ngrpc-status: 2\r\n/i);
  expect(answer).toMatch(/\r\nupgrade: HTTP\/1\.1\r\n/i);
  expect(answer).toMatch(/\r\ngrpc-message: gRPC requires HTTP\/1\.1 or HTTP\/2/i);
  expect(server.output()).not.toContain('"level":"error"');
});

describe("a gRPC call of an unknown service or method", () => {
  const types = ["application/grpc", "application/grpc+proto", "application/grpc+json", "application/grpc;x=y", "application/grpc+thrift"];
  test.each([unknownService, unknownMethod, "/", "/v2alpha1/admin/apiKeys:verify"].flatMap((path) => types.map((type) => [path, type])))(
    "%s as %s returns UNIMPLEMENTED, with its reason, in one HEADERS frame",
    async (path, type) => {
      const answer = await ask(path as string, { "content-type": type as string }, emptyFrame);
      // The service exists, so only the content type is wrong.
      expect(answer.headers).toMatchObject({ ":status": 200, "grpc-status": "12" });
      expect(answer.headers["content-type"]).toMatch(/^application\/grpc/);
      expect([answer.isSingle, answer.body, reasonOf(answer)]).toEqual([true, "", "UNIMPLEMENTED"]);
    },
  );

  test.each([unknownService, unknownMethod])("%s returns UNIMPLEMENTED to grpc-js", async (path) => {
    const Client = makeGenericClientConstructor({}, "client");
    const client = new Client(new URL(server.url).host, credentials.createInsecure());
    const error = await new Promise<ServiceError | null>((resolve) => {
      client.makeUnaryRequest(
        path,
        () => Buffer.alloc(0),
        (bytes) => bytes,
        {},
        (failure) => resolve(failure),
      );
    });
    client.close();
    expect([error?.code, error?.details]).toEqual([12, "this method is not implemented"]);
  });
});

describe("other refusals have a grpc-status and no JSON for gRPC callers", () => {
  const big = "x".repeat(20_000);
  test.each([
    ["405", { ":method": "PUT" }, "2"],
    ["415", { "content-type": "application/grpc+thrift" }, "2"],
    ["417", { expect: "something" }, "3"],
    ["431", { "x-big": big }, "8"],
  ])("%s", async (status, headers, code) => {
    const answer = await ask(knownMethod, { "content-type": "application/grpc", ...headers }, emptyFrame);
    expect(answer.headers).toMatchObject({ ":status": Number(status), "grpc-status": code });
    expect([answer.isSingle, answer.body]).toEqual([true, ""]);
  });

  test("others still get JSON", async () => {
    const answer = await ask(knownMethod, { "content-type": "text/xml" }, emptyFrame);
    expect([answer.headers[":status"], JSON.parse(answer.body).code]).toEqual([415, "unknown"]);
    const put = await ask(knownMethod, { ":method": "PUT", "content-type": "application/json" }, emptyFrame);
    expect([put.headers[":status"], put.headers["content-type"], JSON.parse(put.body).code]).toEqual([405, "application/json", "unknown"]);
  });
});

test("a Connect call of an unknown service gets a Connect error", async () => {
  const headers = { "content-type": "application/json", "connect-protocol-version": "1" };
  const answer = await ask(unknownService, headers, Buffer.from("{}"));
  expect([answer.headers[":status"], JSON.parse(answer.body).code]).toEqual([404, "unimplemented"]);
});

test("Connect calls and streams of another version of the protocol are refused", async () => {
  const ask2 = (path: string, type: string, body: Buffer) => ask(path, { "content-type": type, "connect-protocol-version": "2" }, body);
  const unary = await ask2("/keywright.v2alpha1.ApiKeysService/GetJwks", "application/json", Buffer.from("{}"));
  expect([unary.headers[":status"], JSON.parse(unary.body).code]).toEqual([400, "invalid_argument"]);
  const message = Buffer.concat([Buffer.from([0, 0, 0, 0, 2]), Buffer.from("{}")]);
  const stream = await ask2("/grpc.health.v1.Health/Watch", "application/connect+json", message);
  expect(stream.headers[":status"]).toBe(200);
  expect(JSON.parse(stream.body.slice(5)).error).toMatchObject({ code: "invalid_argument" });
});

test("streams that are reset before they are refused get no response, and no error is logged", async () => {
  const refusals = [
    ["POST", knownMethod, "text/plain"],
    ["PUT", knownMethod, "application/grpc"],
    ["POST", unknownService, "application/grpc"],
    ["POST", unknownMethod, "application/json"],
    ["POST", "/grpc.health.v1.Health/Watch", "application/json"],
    // Node would answer 100, although the stream is gone.
    ["POST", knownMethod, "application/grpc", { expect: "100-continue" }],
    ["POST", "/v2alpha1/apiKeys:selfRevoke", "application/json", { expect: "100-continue" }],
  ] as const;
  /** Node destroys a stream that is reset with any other code before it reports the stream. */
  const noError = Buffer.alloc(4);
  const frames = refusals.map(([method, path, type, more = {}], index) => {
    const id = 2 * index + 1;
    const lines = { ":method": method, ":scheme": "http", ":authority": "x", ":path": path, "content-type": type, ...more };
    const head = frame(frameTypes.headers, flags.endHeaders, id, headerBlock(Object.entries(lines)));
    return Buffer.concat([head, frame(frameTypes.data, 0, id, Buffer.from("{")), frame(frameTypes.reset, 0, id, noError)]);
  });
  // In one piece with the preface, so that Node reads the resets before it reports the streams.
  const bytes = Buffer.concat([preface, frame(frameTypes.settings, 0, 0), ...frames]);
  await using own = await startServerHere();
  expect((await http2Exchange(own.port, bytes, 10_000)).end).toBe("barrier");
  // All output has arrived once it has ended.
  expect(await own.stop()).toBe(0);
  expect(own.output()).not.toContain('"level":"error"');
});
