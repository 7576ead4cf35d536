import { brotliCompressSync, gzipSync } from "node:zlib";
import { type Arena, type Attack, authorization, sendAndJudge } from "./attack.ts";
import { damagedCredential } from "./credentials.ts";
import { oddProtobuf } from "./proto-bytes.ts";
import type { Random } from "./random.ts";
import type { Excuse } from "./report.ts";
import { targets } from "./targets.ts";
import { nestedJson, oddJsonValue, oddText } from "./values.ts";

/** gRPC, gRPC-Web and Connect: broken envelopes, messages, headers and queries. */
export const rpcAttacks: readonly Attack[] = [
  { name: "grpc: broken frames", weight: 14, run: (arena) => callRpc(arena, "grpc: broken frames", "application/grpc", "http2") },
  { name: "grpc-web: broken frames", weight: 8, run: (arena) => callRpc(arena, "grpc-web: broken frames", "application/grpc-web") },
  { name: "connect: broken messages", weight: 10, run: connectPost },
  { name: "connect: GET oddities", weight: 8, run: connectGet },
  { name: "grpc: health and reflection", weight: 4, run: standardServices },
];

// 64 MiB of zeros in 64 KiB, made once.
const gzipBomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
const smallBomb = gzipSync(Buffer.alloc(2_000_000));
const brotliBomb = brotliCompressSync(Buffer.alloc(16 * 1024 * 1024));

function envelope(flag: number, message: Uint8Array, byteLength = message.length): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(byteLength >>> 0, 1);
  return Buffer.concat([head, message]);
}

function oddEnvelopes(random: Random, message: Buffer): Buffer {
  return random.pick<() => Buffer>([
    () => envelope(0, message),
    () => envelope(0, message),
    () => envelope(0, message),
    () => envelope(1, message),
    () => envelope(1, gzipSync(message)),
    () => envelope(random.pick([2, 0x7f, 0x80, 0xff]), message),
    () => envelope(0, message, message.length + 1 + random.below(100)),
    () => envelope(0, message, random.below(message.length + 1)),
    () => envelope(0, message, random.pick([0x7fffffff, 0xffffffff, 0x00100001, 0x01000001])),
    () => Buffer.concat([envelope(0, message), envelope(0, message)]),
    () => Buffer.concat([envelope(0, message), random.bytes(1 + random.below(4))]),
    () => Buffer.alloc(0),
    () => random.bytes(1 + random.below(5)),
    () => message,
    () => Buffer.concat(Array.from({ length: 1000 }, () => envelope(0, Buffer.alloc(0)))),
    () => (random.chance(0.2) ? envelope(1, gzipBomb) : envelope(1, smallBomb)),
    () => envelope(1, gzipSync(message).subarray(0, 12)),
    () => (random.chance(0.1) ? envelope(0, Buffer.alloc(1_100_000, 10)) : envelope(0, Buffer.alloc(20_000, 10))),
  ])();
}

async function callRpc(arena: Arena, attack: string, family: "application/grpc" | "application/grpc-web", over?: "http2"): Promise<void> {
  const { random } = arena;
  const target = random.pick(targets);
  const headers = authorization(arena);
  const isText = family === "application/grpc-web" && random.chance(0.4);
  const plainType = `${family}${isText ? "-text" : ""}${random.pick(["", "+proto", "+proto", "+json"])}`;
  const contentType = random.chance(0.85)
    ? plainType
    : random.pick([
        `${family}+`,
        `${family}+thrift`,
        `${plainType}; charset=utf-8`,
        plainType.toUpperCase(),
        `${family};`,
        "application/grpcx",
        `${family}+proto+proto`,
      ]);
  const credential = damagedCredential(random, arena.key.secret).toWellFormed();
  const message = contentType.includes("json")
    ? Buffer.from(oddJsonBody(random, credential))
    : oddProtobuf(random, target.method.input, credential);
  const bytes = oddEnvelopes(random, message);
  const body = isText ? oddBase64(random, bytes) : bytes;
  const more: [string, string][] = [["content-type", contentType]];
  if (random.chance(0.9)) more.push(["te", random.pick(["trailers", "trailers", "trailers", "trailers, gzip"])]);
  if (random.chance(0.3))
    more.push(["grpc-encoding", random.pick(["gzip", "gzip", "identity", "br", "deflate", "snappy", "", "x".repeat(100)])]);
  if (random.chance(0.2)) more.push(["grpc-accept-encoding", random.pick(["gzip", "identity,br,gzip", ",,,", "\\0"])]);
  if (random.chance(0.25)) more.push(["grpc-timeout", oddTimeout(random)]);
  if (random.chance(0.1)) more.push([`${random.word(5)}-bin`.toLowerCase(), random.pick(["AAA", "====", "!", random.word(500)])]);
  const path = random.chance(0.92)
    ? target.rpcPath
    : random.pick([`${target.rpcPath}/`, target.rpcPath.toLowerCase(), "/keywright.v2alpha1.ApiKeysService/Nothing", "/x.Y/Z", "//", "/"]);
  const method = random.chance(0.95) ? "POST" : random.pick(["GET", "PUT", "DELETE", "HEAD"]);
  await sendAndJudge(arena, attack, { method, path, headers: [...headers, ...more], body }, excuseOf(target, path), over);
}

/** A gRPC server that receives a GET or an odd type may treat it as JSON/HTTP, or as another method. */
/** In Connect an unknown method of a service is `unimplemented`, which is 501. */
function excuseOf(target: (typeof targets)[number], path: string): Excuse {
  return { unimplemented: path !== target.rpcPath, deadline: true };
}

function oddTimeout(random: Random): string {
  return random.pick([
    "1n",
    "0S",
    "99999999H",
    "999999999S",
    "1",
    "S",
    "-1S",
    "1.5S",
    "1s",
    "",
    " 1S",
    "1S 1S",
    "9".repeat(200),
    "100m",
    "5S",
  ]);
}

function oddBase64(random: Random, bytes: Buffer): Buffer {
  const text = bytes.toString("base64");
  return Buffer.from(
    random.pick([
      text,
      text,
      text,
      text.slice(0, -1),
      `${text}=`,
      `${text}!`,
      text.replaceAll("=", ""),
      `${text}${text}`,
      bytes.toString("base64url"),
      text.split("").join("\n"),
      "====",
    ]),
  );
}

function oddJsonBody(random: Random, credential: string): string {
  const named = `{"credential":${JSON.stringify(credential)}}`;
  return random.pick([
    named,
    named,
    `{"name":${oddJsonValue(random)}}`,
    `{"metadata":${nestedJson(random).slice(0, 50_000)}}`,
    oddJsonValue(random),
    named.slice(0, -1),
    "",
  ]);
}

async function connectPost(arena: Arena): Promise<void> {
  const { random } = arena;
  const target = random.pick(targets);
  const headers = authorization(arena);
  const isJson = random.chance(0.6);
  const credential = damagedCredential(random, arena.key.secret);
  const message = isJson
    ? Buffer.from(oddJsonBody(random, credential))
    : oddProtobuf(random, target.method.input, credential.toWellFormed());
  const contentType = random.chance(0.9)
    ? `application/${isJson ? "json" : "proto"}`
    : random.pick([
        "application/connect+json",
        "application/connect+proto",
        "application/json; charset=utf-16",
        "application/protobuf",
        "application/x-protobuf",
        "",
        "application/proto; x",
        "multipart/form-data",
      ]);
  const more: [string, string][] = [["content-type", contentType]];
  let body = contentType.startsWith("application/connect") ? oddEnvelopes(random, message) : message;
  if (random.chance(0.25)) {
    const encoding = random.pick(["gzip", "br", "deflate", "zstd", "identity", "gzip, gzip", "x"]);
    more.push(["content-encoding", encoding]);
    if (encoding === "gzip")
      body = random.pick([gzipSync(body), gzipSync(body).subarray(0, 15), body, random.chance(0.2) ? gzipBomb : smallBomb]);
    if (encoding === "br") body = random.pick([brotliCompressSync(body), body, brotliBomb]);
  }
  if (random.chance(0.5)) more.push(["connect-protocol-version", random.pick(["1", "1", "2", "", "x"])]);
  if (random.chance(0.3))
    more.push(["connect-timeout-ms", random.pick(["1", "0", "-1", "x", "10000000000", "9".repeat(50), "", "5000", "1.5"])]);
  if (random.chance(0.2)) more.push(["connect-accept-encoding", random.pick(["gzip", ",", "br"])]);
  // Connect answers an unknown compression with `unimplemented`, which is 501.
  const isUnknownEncoding = more.some(([name, value]) => name === "content-encoding" && !["gzip", "br", "identity"].includes(value));
  await sendAndJudge(
    arena,
    "connect: broken messages",
    { method: "POST", path: target.rpcPath, headers: [...headers, ...more], body },
    isUnknownEncoding ? { unimplemented: true, deadline: true } : excuseOf(target, target.rpcPath),
  );
}

async function connectGet(arena: Arena): Promise<void> {
  const { random } = arena;
  const target = random.pick(targets);
  const headers = authorization(arena);
  const json = oddJsonBody(random, "x").slice(0, 3000);
  const base64 = oddProtobuf(random, target.method.input, "x").subarray(0, 2000).toString("base64url");
  const text = random.pick([
    encodeURIComponent(json.toWellFormed()),
    base64,
    `${base64}=`,
    `${base64}*`,
    "%00",
    "%",
    "%ff",
    "A",
    "AAAAA",
    "",
    gzipSync(json).toString("base64url"),
    encodeURIComponent(oddText(random).slice(0, 500).toWellFormed()),
  ]);
  const parameters = [
    `message=${text}`,
    `encoding=${random.pick(["json", "proto", "json", "proto", "", "xml", "JSON", "%00"])}`,
    ...(random.chance(0.6) ? [`base64=${random.pick(["1", "1", "0", "", "true", "2"])}`] : []),
    ...(random.chance(0.2) ? [`compression=${random.pick(["gzip", "br", "identity", "", "x"])}`] : []),
    ...(random.chance(0.5) ? [`connect=${random.pick(["v1", "v1", "v2", ""])}`] : []),
    ...(random.chance(0.1) ? ["message=e30", "encoding=json"] : []),
  ].filter(() => random.chance(0.95));
  const isUnknownEncoding = parameters.some((parameter) => parameter === "compression=x");
  const path = `${target.rpcPath}?${parameters.join("&")}`;
  await sendAndJudge(
    arena,
    "connect: GET oddities",
    { method: random.chance(0.9) ? "GET" : "HEAD", path, headers },
    isUnknownEncoding ? { unimplemented: true } : excuseOf(target, target.rpcPath),
  );
}

/** Health and reflection have streams, unlike the other methods. */
async function standardServices(arena: Arena): Promise<void> {
  const { random } = arena;
  const path = random.pick([
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/List",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
  ]);
  const text = random.pick([
    "",
    "grpc.health.v1.Health",
    "no.such.Service",
    "\0",
    "x".repeat(5000),
    ".",
    "keywright.v2alpha1.ApiKeysService",
  ]);
  const field = random.pick([1, 3, 4, 5, 6, 7, 9]);
  const bytes = Buffer.from(text);
  const message = Buffer.concat([
    Buffer.from([field * 8 + 2, ...(bytes.length > 127 ? [(bytes.length % 128) | 128, bytes.length >> 7] : [bytes.length])]),
    bytes,
  ]);
  const body = random.chance(0.5)
    ? envelope(0, message)
    : oddEnvelopes(random, random.chance(0.5) ? message : random.bytes(random.below(50)));
  const headers: [string, string][] = [
    ["content-type", random.pick(["application/grpc", "application/grpc+proto", "application/grpc-web+proto"])],
    ["te", "trailers"],
  ];
  await sendAndJudge(arena, "grpc: health and reflection", { method: "POST", path, headers, body }, {}, "http2");
}
