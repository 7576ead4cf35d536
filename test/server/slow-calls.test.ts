import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { describe, expect, test } from "vitest";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { VerifyApiKeyResponseSchema } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import { failureStatus } from "../../src/call/error-details.ts";
import { createRpcHandler } from "../../src/connect/rpc.ts";
import { createBodyBudget } from "../../src/http/body-budget.ts";
import { createJsonReader } from "../../src/protojson/read.ts";
import { quickLimits, serve } from "./support.ts";

const { handler, streamHandler } = createRpcHandler({
  methods: new Map([
    [
      ApiKeysService.method.adminVerifyApiKey,
      async () => {
        await delay(quickLimits.requestTimeoutMs * 2);
        return create(VerifyApiKeyResponseSchema, { isValid: true });
      },
    ],
  ]),
  admit: () => {},
  openMethods: new Map(),
  streams: [],
  json: createJsonReader({ unknownFields: "reject", presenceMasks: new Map() }),
  bodies: createBodyBudget({ maxBytes: 2 ** 20, maxAnonymousBytes: 2 ** 20, maxInflations: 1 }),
  trustedProxies: [],
  maxBytes: () => 1024,
  maxStreamMessageBytes: 1024,
  statusOf: failureStatus,
  shutdownSignal: new AbortController().signal,
  reportError: (error) => {
    throw error;
  },
});

/** The time-out of requests applies to incomplete requests, not to slow methods. */
describe("a call that takes longer than a request may take to arrive", () => {
  test.each([
    ["gRPC", (baseUrl: string) => createGrpcTransport({ baseUrl })],
    ["gRPC-Web", (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: "2" })],
    ["Connect JSON over HTTP/2", (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: false })],
    ["Connect over HTTP/1.1", (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "1.1" })],
  ])("is answered over %s", async (_name, transport) => {
    await using server = await serve(handler, {}, streamHandler);
    const client = createClient(ApiKeysService, transport(`http://127.0.0.1:${server.port}`));
    expect(await client.adminVerifyApiKey({ credential: "slow" })).toMatchObject({ isValid: true });
  });
});
