import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ServerProcess } from "../support/server-process.ts";
import { type AttackOutcome, attackBesideCustomer, attackOn, startTarget } from "./beside-customer.ts";
import { http1Client, http2Client, type WireClient } from "./clients.ts";
import { flags, frame, frameTypes, headerBlock, preface } from "./http2-wire.ts";

/** Requests with bodies that need no token, and requests of callers with one. */
const service = "/keywright.v2alpha1.ApiKeysService";
const jsonPath = "/v2alpha1/apiKeys:selfRevoke";
const rpcPath = `${service}/RevokeApiKey`;
const timeout = 120_000;
/** Allowance for the attack's garbage and for the customer. */
const slackMiB = 60;

function expectNoHarm(outcome: AttackOutcome, maxGrowthMiB = slackMiB): void {
  expect(outcome.customerErrors).toEqual([]);
  expect(outcome.customerAnswers).toBeGreaterThan(0);
  expect(outcome.memoryPeakMiB - outcome.memoryBeforeMiB).toBeLessThan(maxGrowthMiB);
}

/** Opens connections, sends each the same bytes, and leaves them open until the server accepts no more. */
async function sendUnfinished(port: number, connections: number, parts: readonly Buffer[]): Promise<void> {
  const sockets = Array.from({ length: connections }, () => connect(port, "127.0.0.1"));
  await Promise.all(
    sockets.map((socket) =>
      sendParts(
        socket.resume().on("error", () => {}),
        parts,
      ),
    ),
  );
  for (const socket of sockets) socket.destroy();
}

async function sendParts(socket: Socket, parts: readonly Buffer[]): Promise<void> {
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  for (const part of parts) {
    if (socket.destroyed) return;
    if (!socket.write(part)) await Promise.race([new Promise<void>((resolve) => socket.once("drain", () => resolve())), closed]);
  }
}

const head = (path: string, ...lines: readonly string[]) =>
  Buffer.from(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`);

test.each([jsonPath, rpcPath])("unfinished bodies in chunks of one byte (%s)", { timeout }, async (path) => {
  const chunks = Buffer.from("1\r\na\r\n".repeat(10_000));
  const parts = [head(path, "Transfer-Encoding: chunked"), ...Array.from({ length: 30 }, () => chunks)];
  expectNoHarm(await attackBesideCustomer(`1-byte chunks, ${path}`, {}, ({ port }) => sendUnfinished(port, 4, parts)));
});

test("unfinished bodies within the bound in chunks of one byte", { timeout }, async () => {
  const chunks = Buffer.from("1\r\na\r\n".repeat(16_000));
  const parts = [head(rpcPath, "Transfer-Encoding: chunked"), chunks];
  expectNoHarm(await attackBesideCustomer("1-byte chunks, 16 KB a body", {}, ({ port }) => sendUnfinished(port, 150, parts)));
});

test.each([rpcPath, "/nothing/at/all"])(
  "streams with DATA frames of one byte, whose responses nobody reads (%s)",
  { timeout },
  async (path) => {
    const data = Buffer.concat(Array.from({ length: 100 }, (_, i) => frame(frameTypes.data, 0, 2 * i + 1, Buffer.from("a"))));
    const noWindow = Buffer.from([0, 4, 0, 0, 0, 0]);
    const headers = Array.from({ length: 100 }, (_, i) =>
      frame(
        frameTypes.headers,
        flags.endHeaders,
        2 * i + 1,
        headerBlock([
          [":method", "POST"],
          [":scheme", "http"],
          [":path", path],
          [":authority", "a"],
          ["content-type", "application/grpc"],
        ]),
      ),
    );
    const parts = [preface, frame(frameTypes.settings, 0, 0, noWindow), ...headers, ...Array.from({ length: 5000 }, () => data)];
    expectNoHarm(await attackBesideCustomer(`1-byte DATA frames, ${path}`, {}, ({ port }) => sendUnfinished(port, 2, parts)));
  },
);

test("200 unfinished bodies of 1 MiB on public methods", { timeout }, async () => {
  const body = Buffer.alloc(2 ** 20 - 1, 32);
  const attack = ({ port }: { port: number }) =>
    Promise.all([jsonPath, rpcPath].map((path) => sendUnfinished(port, 100, [head(path, `Content-Length: ${2 ** 20}`), body])));
  expectNoHarm(await attackBesideCustomer("200 bodies of 1 MiB", {}, async (server) => void (await attack(server))));
});

test("1,500 unfinished bodies within the bound leave room for probes and for callers with a token", { timeout }, async () => {
  const body = Buffer.alloc(16 * 1024 - 1, 32);
  const answers: unknown[] = [];
  const outcome = await attackBesideCustomer("1,500 bodies of 16 KiB", {}, async ({ port, url, adminToken }) => {
    // From two addresses, because one may have 1,000 anonymous connections.
    const sockets = Array.from({ length: 1500 }, (_, index) =>
      connect({ port, host: "127.0.0.1", localAddress: `127.0.0.${2 + (index % 2)}` }).on("error", () => {}),
    );
    const refused = sockets.map((socket) => once(socket, "data").then(([data]) => String(data)));
    for (const answer of refused) answer.catch(() => {});
    await Promise.all(sockets.map((socket) => sendParts(socket, [head(jsonPath, `Content-Length: ${16 * 1024}`), body])));
    answers.push(/retry-after: 1\r\n[\s\S]*(TOO_MANY_BODIES)/i.exec(await Promise.any(refused))?.[1]);
    const grpc = http2Client(url);
    const probe = await grpc.send({
      method: "POST",
      path: "/grpc.health.v1.Health/Check",
      headers: [["content-type", "application/grpc"]],
      body: Buffer.alloc(5),
    });
    const name = "n".repeat(100_000);
    const imported = await grpc.send({
      method: "POST",
      path: "/v2alpha1/admin/importedApiKeys",
      headers: [
        ["content-type", "application/json"],
        ["authorization", `Bearer ${adminToken}`],
      ],
      body: Buffer.from(JSON.stringify({ name })),
    });
    answers.push(typeof probe === "object" && probe.httpStatus, typeof imported === "object" && imported.httpStatus);
    grpc.close();
    for (const socket of sockets) socket.destroy();
  });
  // 16 MiB of bodies, 1,500 connections, and refused requests that are not collected yet.
  expectNoHarm(outcome, 3 * slackMiB);
  expect(answers).toEqual(["TOO_MANY_BODIES", 200, 400]);
});

/** Unknown fields of protobuf, two bytes each, and a million empty JSON arrays. */
const unknownFields = Buffer.from("f801".repeat(2 ** 19), "hex");
const emptyLists = Buffer.from(`{"x":[${"[],".repeat(340_000)}[]]}`);
const compressed = {
  proto: { gzip: gzipSync(unknownFields), br: brotliCompressSync(unknownFields) },
  json: { gzip: gzipSync(emptyLists), br: brotliCompressSync(emptyLists) },
};

function envelope(message: Uint8Array): Buffer {
  const bytes = Buffer.alloc(5);
  bytes[0] = 1;
  bytes.writeUInt32BE(message.length, 1);
  return Buffer.concat([bytes, message]);
}

const sendGet = (encoding: "proto" | "json", compression: "gzip" | "br") => (client: WireClient) => {
  const message = compressed[encoding][compression].toString("base64url");
  const path = `${service}/GetJwks?connect=v1&encoding=${encoding}&base64=1&compression=${compression}&message=${message}`;
  return client.send({ method: "GET", path, headers: [] });
};

const sendPost = (path: string, type: string, header: string, compression: "gzip" | "br") => (client: WireClient) => {
  const message = compressed[type.includes("json") ? "json" : "proto"][compression];
  return client.send({
    method: "POST",
    path,
    headers: [
      ["content-type", type],
      [header, compression],
    ],
    body: type.includes("grpc") ? envelope(message) : message,
  });
};

const jwksPath = `${service}/GetJwks`;
const checkPath = "/grpc.health.v1.Health/Check";
const watchPath = "/grpc.health.v1.Health/Watch";

describe("small requests that inflate", () => {
  const count = 40;
  let server: ServerProcess;
  beforeAll(async () => {
    server = await startTarget();
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  test.each([
    ["GET, brotli", sendGet("proto", "br")],
    ["GET, brotli, JSON", sendGet("json", "br")],
    ["Connect, gzip", sendPost(jwksPath, "application/proto", "content-encoding", "gzip")],
    ["Connect, brotli", sendPost(rpcPath, "application/proto", "content-encoding", "br")],
    ["Connect, gzip, JSON", sendPost(rpcPath, "application/json", "content-encoding", "gzip")],
    ["gRPC, gzip", sendPost(jwksPath, "application/grpc", "grpc-encoding", "gzip")],
    ["gRPC, brotli, health", sendPost(checkPath, "application/grpc", "grpc-encoding", "br")],
    ["gRPC-Web, brotli", sendPost(rpcPath, "application/grpc-web+proto", "grpc-encoding", "br")],
    ["gRPC, gzip, a stream", sendPost(watchPath, "application/grpc", "grpc-encoding", "gzip")],
  ])("%s", { timeout }, async (name, send) => {
    const outcome = await attackOn(server, `${count} small requests that inflate, ${name}`, async ({ port, url }) => {
      const client = /gRPC,/.test(name) ? http2Client(url) : http1Client(port);
      for (let i = 0; i < count; i++) await send(client);
      client.close();
    });
    expectNoHarm(outcome);
    // Includes the end of the start-up and the customer's own calls. Each request alone took 80 to 130 ms.
    expect(outcome.cpuMs).toBeLessThan(count * 25);
  });
});

test("a batch of 524,280 empty items, compressed to a few bytes, by a caller with a token", { timeout }, async () => {
  const count = 30;
  const items = Buffer.from("0a00".repeat(524_280), "hex");
  const bodies = { gzip: gzipSync(items), br: brotliCompressSync(items), identity: items };
  const outcome = await attackBesideCustomer(`${count} batches of empty items`, {}, async ({ url, adminToken }) => {
    const client = http2Client(url);
    for (let i = 0; i < count; i++) {
      for (const [encoding, body] of Object.entries(bodies)) {
        if (encoding === "identity" && i > 3) continue;
        await client.send({
          method: "POST",
          path: `${service}/AdminBatchVerifyApiKeys`,
          headers: [
            ["content-type", "application/proto"],
            ["content-encoding", encoding],
            ["authorization", `Bearer ${adminToken}`],
          ],
          body,
        });
      }
    }
    client.close();
  });
  expectNoHarm(outcome);
  expect(outcome.cpuMs).toBeLessThan(count * 2 * 25);
});
