import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:http2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startServerHere } from "../support/server-here.ts";
import type { RunningServer } from "../support/server-process.ts";

/** AIP-211: a caller without permission learns nothing about problems of the request, and its body is not even read. */
let server: RunningServer;
beforeAll(async () => {
  server = await startServerHere();
});
afterAll(() => server?.[Symbol.asyncDispose]());

const jsonPath = "/v2alpha1/admin/issuedApiKeys";
const rpcPath = "/keywright.v2alpha1.ApiKeysService/AdminIssueApiKey";

describe("without a token", () => {
  test.each([
    ["JSON/HTTP", jsonPath, "application/json"],
    ["Connect JSON", rpcPath, "application/json"],
    ["Connect proto", rpcPath, "application/proto"],
    ["gRPC-Web", rpcPath, "application/grpc-web+proto"],
  ])("a malformed body still returns 401 over %s", async (_name, path, contentType) => {
    const response = await fetch(server.url + path, { method: "POST", headers: { "content-type": contentType }, body: "{ malformed" });
    if (contentType.startsWith("application/grpc")) expect(response.headers.get("grpc-status") ?? (await response.text())).toContain("16");
    else expect(response.status).toBe(401);
  });

  test("the response arrives before the body, over HTTP/1.1", async () => {
    const call = request(server.url + jsonPath, {
      method: "POST",
      headers: { "content-type": "application/json", "content-length": "900000" },
    });
    call.on("error", () => {});
    call.write("{");
    const [response] = (await once(call, "response")) as [{ statusCode: number }];
    expect(response.statusCode).toBe(401);
    call.destroy();
  });

  test.each([
    ["JSON", jsonPath, "application/json", ":status", "401"],
    ["gRPC", rpcPath, "application/grpc", "grpc-status", "16"],
  ])("the response arrives before the body, over HTTP/2 %s", async (_name, path, contentType, header, expected) => {
    const session = connect(server.url);
    const stream = session.request({ ":method": "POST", ":path": path, "content-type": contentType });
    stream.on("error", () => {});
    stream.write(Buffer.alloc(10));
    const [headers] = (await once(stream, "response")) as [Record<string, string>];
    expect(String(headers[header])).toBe(expected);
    session.destroy();
  });
});
