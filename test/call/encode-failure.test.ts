import { connect } from "node:http2";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { failureStatus } from "../../src/call/error-details.ts";
import { createMethodTable, type Implementations } from "../../src/call/methods.ts";
import { observeAdmission } from "../../src/call/observe.ts";
import { createRpcHandler } from "../../src/connect/rpc.ts";
import { createBodyBudget } from "../../src/http/body-budget.ts";
import { createJsonReader } from "../../src/protojson/read.ts";
import { logCalls } from "../../src/rpc/log-calls.ts";
import { createDispatcher } from "../../src/server/dispatch.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { countCalls } from "../../src/telemetry/metrics/calls.ts";
import { createMetrics } from "../../src/telemetry/metrics/metrics.ts";
import { createTranscoder } from "../../src/transcode/transcoder.ts";
import { serve, type TestServer } from "../server/support.ts";

/** Responses that no protocol can encode: the number has no binary form, the time has no JSON form. */
const unwritable = { isValid: true, rateLimitRemaining: 1n << 80n, expireTime: { seconds: 1n << 40n } };

const lines: Record<string, unknown>[] = [];
const metrics = createMetrics("test");
let nowMs = 0;
let server: TestServer;

beforeAll(async () => {
  const log = createLog("debug", { write: (line) => void lines.push(JSON.parse(line)) });
  // A clock that advances by 5 ms each time it is read.
  const monotonicMs = (): number => {
    nowMs += 5;
    return nowMs;
  };
  const shared = {
    methods: createMethodTable(ApiKeysService, implementations(), []),
    admit: observeAdmission(
      [
        countCalls(metrics, monotonicMs),
        logCalls({ log, monotonicMs, atEnd: () => {}, isRead: () => false, isSampled: () => true, traceIdOf: () => undefined }),
      ],
      () => {},
    ),
    json: createJsonReader({ unknownFields: "reject", presenceMasks: new Map() }),
    bodies: createBodyBudget({ maxBytes: 2 ** 20, maxAnonymousBytes: 2 ** 20, maxInflations: 1 }),
    trustedProxies: [],
    maxBytes: () => 1024,
    reportError: (error: unknown) => log.error({ error }, "reported"),
  };
  const rpc = createRpcHandler({
    ...shared,
    openMethods: new Map(),
    streams: [],
    maxStreamMessageBytes: 1024,
    shutdownSignal: new AbortController().signal,
    statusOf: failureStatus,
  });
  const handler = createDispatcher({
    rpc: rpc.handler,
    isRpc: rpc.isRpc,
    health: (_request, response) => void response.end(),
    transcoder: createTranscoder({ ...shared, rest: new Map() }),
  });
  server = await serve(handler, {}, rpc.streamHandler);
});
afterAll(() => server?.[Symbol.asyncDispose]());

function implementations(): Implementations<typeof ApiKeysService> {
  const all = Object.fromEntries(ApiKeysService.methods.map(({ localName }) => [localName, () => unwritable]));
  return all as unknown as Implementations<typeof ApiKeysService>;
}

const rpcPath = "/keywright.v2alpha1.ApiKeysService/AdminVerifyApiKey";

function post(path: string, contentType: string, body: Uint8Array | string): Promise<void> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://127.0.0.1:${server.port}`).on("error", reject);
    const stream = session.request({ ":method": "POST", ":path": path, "content-type": contentType }).on("error", reject);
    stream.resume().on("close", () => {
      session.close();
      resolve();
    });
    stream.end(body);
  });
}

test.each([
  ["json-http", "/v2alpha1/admin/apiKeys:verify", "application/json", "{}"],
  ["connect", rpcPath, "application/json", "{}"],
  ["connect", rpcPath, "application/proto", ""],
  ["grpc", rpcPath, "application/grpc", Buffer.alloc(5)],
  ["grpc-web", rpcPath, "application/grpc-web", Buffer.alloc(5)],
  ["grpc-web", rpcPath, "application/grpc-web-text", "AAAAAAA="],
])("a response that cannot be encoded counts as one failed call, logged with its cause: %s", async (protocol, path, contentType, body) => {
  const count = (code: string) => metrics.rpcCalls.of("AdminVerifyApiKey", protocol, code).value;
  const before = [count("INTERNAL"), count("OK")];
  lines.length = 0;
  await post(path, contentType, body);
  expect([count("INTERNAL"), count("OK")]).toEqual([(before[0] ?? 0) + 1, before[1]]);
  expect(metrics.rpcInFlight.of("AdminVerifyApiKey", protocol).value).toBe(0);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({ level: "error", message: "call failed", rpc: "AdminVerifyApiKey", protocol, code: "INTERNAL" });
  expect(lines[0]?.error).toMatchObject({ message: expect.stringMatching(/cannot encode|rate_limit_remaining|timestamp/) });
  expect(lines[0]?.durationMs).toBeGreaterThan(0);
});
