/**
 * Measures server CPU per unary call: the lanes against bare node:http and node:http2, over Connect JSON (HTTP/1.1) and gRPC. All run
 * interleaved, so that a busy machine affects all alike. Usage: `node bench/lanes.ts [rounds]`. The server runs in a process of its own and
 * reports its CPU time.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { Agent, createServer, request as httpRequest } from "node:http";
import { type ClientHttp2Session, connect, createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { ApiKeysService } from "../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { VerifyApiKeyRequestSchema, VerifyApiKeyResponseSchema } from "../gen/keywright/v2alpha1/verification_pb.ts";
import type { Interceptor } from "../src/call/call.ts";
import { failureStatus } from "../src/call/error-details.ts";
import { createMethodTable, type Implementations } from "../src/call/methods.ts";
import { writeEnvelope } from "../src/connect/envelope.ts";
import { createRpcHandler } from "../src/connect/rpc.ts";
import { createBodyBudget } from "../src/http/body-budget.ts";
import { createJsonReader } from "../src/protojson/read.ts";
import { takeStreams } from "../src/server/http2-streams.ts";
import { median } from "./median.ts";

const path = "/keywright.v2alpha1.ApiKeysService/AdminVerifyApiKey";
const callsPerRound = 3000;
const concurrency = 16;
const requestFrame = writeEnvelope(toBinary(VerifyApiKeyRequestSchema, create(VerifyApiKeyRequestSchema, { credential: "k".repeat(37) })));

if (process.send === undefined) await measure(Number(process.argv[2] ?? 7));
else await serve();

async function serve(): Promise<void> {
  const passOn: Interceptor = (next) => (request, call) => next(request, call);
  const answer = { isValid: true, keyId: "01JDZ8QW3M5T7X9V1B2C4D6F8G", actorId: "user-1", scopes: ["read", "write"] };
  const implementations = Object.fromEntries(ApiKeysService.methods.map(({ localName }) => [localName, () => answer]));
  const options = {
    methods: createMethodTable(ApiKeysService, implementations as unknown as Implementations<typeof ApiKeysService>, [passOn, passOn]),
    admit: () => {},
    openMethods: new Map(),
    streams: [],
    json: createJsonReader({ unknownFields: "reject", presenceMasks: new Map() }),
    bodies: createBodyBudget({ maxBytes: 2 ** 27, maxAnonymousBytes: 2 ** 24, maxInflations: 2 }),
    trustedProxies: [],
    maxBytes: () => 2 ** 20,
    maxStreamMessageBytes: 1024,
    statusOf: failureStatus,
    shutdownSignal: new AbortController().signal,
    reportError: console.error,
  };
  const { handler: lanes, streamHandler } = createRpcHandler(options);
  const frame = writeEnvelope(toBinary(VerifyApiKeyResponseSchema, create(VerifyApiKeyResponseSchema, answer)));
  const bareHttp1 = createServer((request, response) => {
    request.on("data", () => {});
    request.on("end", () => response.writeHead(200, { "content-type": "application/json" }).end('{"isValid":true}'));
  });
  const bareHttp2 = createHttp2Server();
  bareHttp2.on("stream", (stream) => {
    stream.on("data", () => {});
    stream.on("end", () => {
      stream.respond({ ":status": 200, "content-type": "application/grpc+proto" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(frame);
    });
  });
  const http2Lanes = createHttp2Server(lanes);
  takeStreams(http2Lanes, streamHandler);
  const servers = [bareHttp1, createServer(lanes), bareHttp2, http2Lanes];
  const ports = await Promise.all(
    servers.map(async (server) => {
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      return (server.address() as AddressInfo).port;
    }),
  );
  process.on("message", () => process.send?.({ cpu: process.cpuUsage() }));
  process.on("disconnect", () => process.exit());
  process.send?.({ ports });
}

async function measure(rounds: number): Promise<void> {
  const server = fork(import.meta.filename);
  const [{ ports }] = (await once(server, "message")) as [{ ports: number[] }];
  const names = ["bare node:http", "Connect JSON, lane", "bare http2 gRPC", "gRPC, lane"];
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const sessions = ports.slice(2).map((port) => connect(`http://127.0.0.1:${port}`));
  const callers = ports.map((port, i) => (i < 2 ? () => callHttp1(agent, port) : () => callHttp2(sessions[i - 2] as ClientHttp2Session)));
  const results: number[][] = names.map(() => []);
  for (let round = -1; round < rounds; round++) {
    for (const [i, call] of callers.entries()) {
      const before = await cpuMicroseconds(server);
      await inParallel(call);
      const each = ((await cpuMicroseconds(server)) - before) / callsPerRound;
      if (round >= 0) results[i]?.push(each);
    }
  }
  for (const [i, name] of names.entries()) {
    const sorted = (results[i] as number[]).sort((a, b) => a - b);
    const base = median(results[i < 2 ? 0 : 2] as number[]);
    console.info(`${name.padEnd(24)} ${median(sorted).toFixed(1).padStart(7)} us  ${(median(sorted) / base).toFixed(2)} x bare`);
  }
  for (const session of sessions) session.close();
  agent.destroy();
  server.disconnect();
}

async function cpuMicroseconds(server: ReturnType<typeof fork>): Promise<number> {
  server.send("cpu");
  const [{ cpu }] = (await once(server, "message")) as [{ cpu: NodeJS.CpuUsage }];
  return cpu.user + cpu.system;
}

async function inParallel(call: () => Promise<void>): Promise<void> {
  let left = callsPerRound;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await call();
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

function callHttp1(agent: Agent, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", authorization: "Bearer x", "content-length": 54 };
    const request = httpRequest({ agent, port, host: "127.0.0.1", method: "POST", path, headers }, (response) => {
      response.resume();
      response.on("end", () => (response.statusCode === 200 ? resolve() : reject(new Error(String(response.statusCode)))));
    });
    request.on("error", reject);
    request.end(`{"credential":"${"k".repeat(37)}"}`);
  });
}

function callHttp2(session: ClientHttp2Session): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = {
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc+proto",
      te: "trailers",
      authorization: "Bearer x",
    };
    const stream = session.request(headers);
    stream.on("trailers", (trailers) => {
      if (trailers["grpc-status"] !== "0") reject(new Error(String(trailers["grpc-message"])));
    });
    stream.on("close", resolve);
    stream.on("error", reject);
    stream.resume();
    stream.end(requestFrame);
  });
}
