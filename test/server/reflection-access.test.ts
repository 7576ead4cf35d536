import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { connect as connectSocket } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { ServerReflection, ServerReflectionRequestSchema } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { envelope } from "../connect/support.ts";
import { createRoleTokens } from "../support/role-tokens.ts";
import { startServerHere } from "../support/server-here.ts";
import type { RunningServer } from "../support/server-process.ts";

const transports = {
  gRPC: (baseUrl: string) => createGrpcTransport({ baseUrl }),
  "gRPC-Web": (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: "2" }),
  Connect: (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "2" }),
};

/** Requests the list of services this many times on one stream. Returns the number of responses. */
async function ask(server: RunningServer, over: keyof typeof transports, token?: string, count = 1): Promise<number> {
  const client = createClient(ServerReflection, transports[over](server.url));
  const questions = (async function* () {
    for (let asked = 0; asked < count; asked += 1) yield { messageRequest: { case: "listServices", value: "" } } as const;
  })();
  let answers = 0;
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  for await (const _ of client.serverReflectionInfo(questions, { headers })) answers += 1;
  return answers;
}

test("`admin` requires a token of the role admin", async () => {
  const tokens = createRoleTokens();
  const env = { KEYWRIGHT_REFLECTION: "admin", KEYWRIGHT_ADMIN_TOKEN: tokens.admin };
  await using server = await startServerHere({ env, config: tokens.config });
  for (const over of Object.keys(transports) as (keyof typeof transports)[]) {
    for (const token of [undefined, "x".repeat(40), tokens.auditor, tokens.verifier]) {
      await expect(ask(server, over, token)).rejects.toMatchObject({ code: Code.Unauthenticated });
    }
    expect(await ask(server, over, tokens.admin)).toBe(1);
  }
});

test("a listener that others can reach requires it by default, and one on loopback does not", async () => {
  await using open = await startServerHere({ env: { KEYWRIGHT_HOST: "0.0.0.0", KEYWRIGHT_ISSUER: "http://127.0.0.1" } });
  const reachable = { ...open, url: `http://127.0.0.1:${open.port}` };
  await expect(ask(reachable, "gRPC")).rejects.toMatchObject({ code: Code.Unauthenticated });
  expect(await ask(reachable, "gRPC", open.adminToken)).toBe(1);
  await using loopback = await startServerHere();
  expect(await ask(loopback, "gRPC")).toBe(1);
});

test("`off` serves no reflection", async () => {
  await using server = await startServerHere({ env: { KEYWRIGHT_REFLECTION: "off" } });
  await expect(ask(server, "gRPC", server.adminToken)).rejects.toMatchObject({
    code: expect.toBeOneOf([Code.Unimplemented, Code.NotFound]),
  });
});

test("a stream ends after a hundred requests", async () => {
  await using server = await startServerHere();
  expect(await ask(server, "gRPC", undefined, 100)).toBe(100);
  await expect(ask(server, "gRPC", undefined, 101)).rejects.toMatchObject({ code: Code.ResourceExhausted });
});

test("a client that cancels while a response waits for its window is no fault of the server", async () => {
  await using server = await startServerHere();
  const file = "keywright/v2alpha1/api_keys_service.proto";
  const question = create(ServerReflectionRequestSchema, { messageRequest: { case: "fileByFilename", value: file } });
  const session = connect(server.url, { settings: { initialWindowSize: 0 } });
  const headers = { ":method": "POST", "content-type": "application/grpc", te: "trailers" };
  const stream = session.request({ ...headers, ":path": "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo" });
  stream.on("error", () => {});
  stream.end(envelope(toBinary(ServerReflectionRequestSchema, question)));
  await once(stream, "response");
  stream.close(8);
  // The server has seen the reset once it answers what was sent after it.
  const later = session.request({ ...headers, ":path": "/grpc.health.v1.Health/Check" });
  later.end(envelope(new Uint8Array()));
  await once(later, "response");
  session.destroy();
  expect(await server.stop()).toBe(0);
  expect(server.output()).not.toContain('"level":"error"');
});

test("one address has five streams, and others have theirs", async () => {
  await using server = await startServerHere();
  const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
  const sessions = ["127.0.0.1", "127.0.0.2"].map((localAddress) =>
    connect(server.url, { createConnection: () => connectSocket({ port: server.port, host: "127.0.0.1", localAddress }) }),
  );
  /** Opens a stream and asks nothing yet. */
  const open = (session: ClientHttp2Session | undefined) => {
    const stream = session?.request({ ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" });
    return (stream as ClientHttp2Stream).on("error", () => {});
  };
  const statusOf = async (stream: ClientHttp2Stream): Promise<unknown> => {
    stream.end(envelope(toBinary(ServerReflectionRequestSchema, create(ServerReflectionRequestSchema)))).resume();
    const [headers] = await once(stream, "response");
    return headers["grpc-status"] ?? (await once(stream, "trailers"))[0]["grpc-status"];
  };
  const held = Array.from({ length: 5 }, () => open(sessions[0]));
  expect(await statusOf(open(sessions[0]))).toBe(String(Code.ResourceExhausted));
  expect(await statusOf(open(sessions[1]))).toBe("0");
  for (const stream of held) expect(await statusOf(stream)).toBe("0");
  expect(await statusOf(open(sessions[0]))).toBe("0");
  for (const session of sessions) session.destroy();
});
