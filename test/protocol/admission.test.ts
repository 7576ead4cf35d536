import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:http2";
import { createConnection } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { flags, frame, frameTypes, headerBlock, preface } from "../hostile/http2-wire.ts";
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

describe("Expect: 100-continue", () => {
  const known = () => ({ authorization: `Bearer ${server.adminToken}` });
  const types = [
    ["JSON", jsonPath, "application/json", "{}"],
    ["Connect", rpcPath, "application/json", "{}"],
    ["gRPC", rpcPath, "application/grpc", "\0\0\0\0\0"],
  ] as const;

  test.each(types.slice(0, 2))("asks a known caller alone for the body, over HTTP/1.1 %s", async (_name, path, type, body) => {
    const send = async (headers: Record<string, string>) => {
      const options = { method: "POST", headers: { ...headers, "content-type": type, "content-length": "2", expect: "100-continue" } };
      const call = request(server.url + path, options);
      let isAsked = false;
      call.on("continue", () => {
        isAsked = true;
        call.end(body);
      });
      call.flushHeaders();
      const [response] = (await once(call, "response")) as [IncomingMessage];
      response.resume();
      call.destroy();
      return [isAsked, response.statusCode];
    };
    expect(await send(known())).toEqual([true, path === jsonPath ? 201 : 200]);
    expect(await send({})).toEqual([false, 401]);
  });

  test.each(types)("asks a known caller alone for the body, over HTTP/2 %s", async (_name, path, type, body) => {
    const session = connect(server.url);
    const send = async (headers: Record<string, string>) => {
      const stream = session.request({ ":method": "POST", ":path": path, "content-type": type, expect: "100-continue", ...headers });
      let isAsked = false;
      stream.on("continue", () => {
        isAsked = true;
        stream.end(body);
      });
      await once(stream, "response");
      stream.resume().end();
      await once(stream, "close");
      return isAsked;
    };
    expect([await send(known()), await send({})]).toEqual([true, false]);
    session.destroy();
  });
});

describe("two Authorization lines that differ", () => {
  const whoAmI = "/v2alpha1/admin/whoami";
  async function isAdmittedByHttp1(tokens: readonly string[]): Promise<boolean> {
    const headers = ["Host", "a", ...tokens.flatMap((token) => ["Authorization", `Bearer ${token}`])];
    const [response] = (await once(request(server.url + whoAmI, { headers }).end(), "response")) as [IncomingMessage];
    response.resume();
    return response.statusCode === 200;
  }

  /** Node's client sends no second line. */
  async function isAdmittedByHttp2(tokens: readonly string[]): Promise<boolean> {
    const target: [string, string][] = [":method GET", ":scheme http", ":authority a", `:path ${whoAmI}`].map((line) => {
      const [name = "", value = ""] = line.split(" ");
      return [name, value];
    });
    const block = headerBlock([...target, ...tokens.map((token): [string, string] => ["authorization", `Bearer ${token}`])]);
    const head = frame(frameTypes.headers, flags.endHeaders | flags.endStream, 1, block);
    const socket = createConnection(server.port, "127.0.0.1");
    socket.write(Buffer.concat([preface, frame(frameTypes.settings, 0, 0), head]));
    let received = Buffer.alloc(0);
    for await (const chunk of socket) {
      received = Buffer.concat([received, chunk as Buffer]);
      for (let at = 0; at + 10 <= received.length; at += 9 + received.readUIntBE(at, 3)) {
        // The static table of HPACK has 200 as its eighth entry, and not 401.
        if (received[at + 3] === frameTypes.headers) return received[at + 9] === 0x88;
      }
    }
    throw new Error("no response");
  }

  test.each([
    ["HTTP/1.1", isAdmittedByHttp1],
    ["HTTP/2", isAdmittedByHttp2],
  ])("are no token over %s, because a proxy may have checked either; equal ones are one", async (_, isAdmitted) => {
    const { adminToken } = server;
    expect(await isAdmitted([adminToken])).toBe(true);
    expect(await isAdmitted([adminToken, "another"])).toBe(false);
    expect(await isAdmitted(["another", adminToken])).toBe(false);
    expect(await isAdmitted([adminToken, adminToken])).toBe(true);
  });
});
