import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { type Arena, type Attack, authorization, sendAndJudge } from "./attack.ts";
import type { WireRequest } from "./clients.ts";
import { targets } from "./targets.ts";

/** Bodies in tiny pieces, bodies that inflate, and bodies of many small values: little to send, much to store or decode. */
export const bodyAttacks: readonly Attack[] = [
  { name: "bodies: tiny chunks", weight: 2, run: tinyChunks },
  { name: "bodies: small ones that inflate", weight: 4, run: inflating },
];

/** Two bytes each: unknown numbers, empty items of field 1, nested groups, values of a list within a list. */
const repeated = ["f801", "0a00", "fb01", "3200"].map((hex) => Buffer.from(hex.repeat(2 ** 19), "hex"));
const lists = Buffer.from(`{"requests":[${"{},".repeat(340_000)}{}]}`);
const windows = [16, 18, 22, 24];
const bombs = [...repeated, lists].map((bytes) => ({
  isJson: bytes === lists,
  gzip: [gzipSync(bytes)],
  br: windows.map((bits) =>
    brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_LGWIN]: bits, [constants.BROTLI_PARAM_QUALITY]: 5 } }),
  ),
}));

async function tinyChunks(arena: Arena): Promise<void> {
  const { random } = arena;
  const target = random.pick(targets);
  const isWhole = random.chance(0.5);
  const chunks = "1\r\n{\r\n".repeat(1 + random.below(40_000));
  const request: WireRequest = {
    method: "POST",
    path: target.rpcPath,
    headers: [
      ...authorization(arena),
      ["content-type", random.pick(["application/json", "application/proto"])],
      ["transfer-encoding", "chunked"],
    ],
    body: Buffer.from(isWhole ? `${chunks}0\r\n\r\n` : `${chunks}zz\r\n`),
  };
  await sendAndJudge(arena, "bodies: tiny chunks", request, {}, "http1");
}

async function inflating(arena: Arena): Promise<void> {
  const { random } = arena;
  const target = random.pick(targets);
  const bomb = random.pick(bombs);
  const encoding = random.pick(["gzip", "br"] as const);
  const message = random.pick<Buffer>(bomb[encoding]);
  const format = bomb.isJson ? "json" : "proto";
  const envelope = Buffer.alloc(5);
  envelope[0] = 1;
  envelope.writeUInt32BE(message.length, 1);
  const enveloped = Buffer.concat([envelope, message]);
  const token = authorization(arena);
  const request = random.pick<WireRequest>([
    {
      method: "POST",
      path: target.rpcPath,
      headers: [...token, ["content-type", `application/${format}`], ["content-encoding", encoding]],
      body: message,
    },
    {
      method: "POST",
      path: target.rpcPath,
      headers: [...token, ["content-type", `application/grpc-web+${format}`], ["grpc-encoding", encoding]],
      body: enveloped,
    },
    {
      method: "POST",
      path: random.pick([target.rpcPath, "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"]),
      headers: [...token, ["content-type", `application/grpc+${format}`], ["te", "trailers"], ["grpc-encoding", encoding]],
      body: enveloped,
    },
    {
      method: "GET",
      path: `/keywright.v2alpha1.ApiKeysService/GetJwks?connect=v1&encoding=${format}&base64=1&compression=${encoding}&message=${message.toString("base64url")}`,
      headers: [],
    },
  ]);
  const isGrpc = request.headers.some(([, value]) => value.startsWith("application/grpc+"));
  await sendAndJudge(arena, "bodies: small ones that inflate", request, { unimplemented: true }, isGrpc ? "http2" : undefined);
}
