import { connect } from "node:net";

/** HTTP/2 frames written by hand (RFC 9113), because no client library would send them. */

export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const flags = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

/** A frame. `byteLength` is the length that its header states; by default the real one. */
export function frame(
  type: number,
  flag: number,
  streamId: number,
  payload: Uint8Array = Buffer.alloc(0),
  byteLength = payload.length,
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(byteLength & 0xffffff, 0, 3);
  head[3] = type;
  head[4] = flag;
  head.writeUInt32BE(streamId >>> 0, 5);
  return Buffer.concat([head, payload]);
}

/** A header block of literals without indexing and without Huffman coding (RFC 7541, section 6.2.2). */
export function headerBlock(headers: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(headers.flatMap(([name, value]) => [Buffer.from([0]), hpackText(name), hpackText(value)]));
}

function hpackText(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  return Buffer.concat([hpackInteger(bytes.length, 7, 0), bytes]);
}

/** An integer with a prefix of this many bits (RFC 7541, section 5.1). */
export function hpackInteger(value: number, prefixBits: number, highBits: number): Buffer {
  const limit = 2 ** prefixBits - 1;
  if (value < limit) return Buffer.from([highBits | value]);
  const bytes = [highBits | limit];
  let rest = value - limit;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

export interface Http2Frame {
  readonly type: number;
  readonly flag: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** Calls `onFrame` for each whole frame in the chunks that it is given, until that returns false. */
export function frameReader(onFrame: (frame: Http2Frame) => boolean): (chunk: Buffer) => void {
  let pending = Buffer.alloc(0);
  return (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 9 && pending.length >= 9 + pending.readUIntBE(0, 3)) {
      const end = 9 + pending.readUIntBE(0, 3);
      const streamId = pending.readUInt32BE(5) & 0x7fffffff;
      const read = { type: pending[3] ?? 0, flag: pending[4] ?? 0, streamId, payload: pending.subarray(9, end) };
      pending = pending.subarray(end);
      if (!onFrame(read)) return;
    }
  };
}

export interface Http2Exchange {
  /** Frames of the server by type; for RST_STREAM and GOAWAY also the error codes. */
  readonly frames: readonly Http2Frame[];
  readonly end: "barrier" | "closed" | "timeout";
}

const barrier = Buffer.from("hostile!");

/**
 * Opens a connection, sends the bytes and then a PING of our own. Reads until the server answers that PING (it then has read everything
 * before it), closes the connection, or sends nothing for `timeoutMs`.
 */
export function http2Exchange(port: number, bytes: Buffer, timeoutMs = 400): Promise<Http2Exchange> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    const frames: Http2Frame[] = [];
    const finish = (end: Http2Exchange["end"]) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ frames, end });
    };
    const timer = setTimeout(() => finish("timeout"), timeoutMs);
    const onFrame = (read: Http2Frame): boolean => {
      frames.push(read);
      const isBarrier = read.type === frameTypes.ping && read.flag === flags.ack && read.payload.equals(barrier);
      if (isBarrier) finish("barrier");
      return !isBarrier;
    };
    socket.on("data", frameReader(onFrame));
    socket.on("error", () => {});
    socket.on("close", () => finish("closed"));
    socket.write(bytes);
    if (socket.writable) socket.write(frame(frameTypes.ping, 0, 0, barrier));
  });
}

/** Returns whether a HEADERS frame has `:status: 5xx`, as far as that shows without a decoder: by index 14, or as a literal. */
export function isServerError({ type, payload }: Http2Frame): boolean {
  if (type !== frameTypes.headers) return false;
  const isLiteral = payload[0] === 0x48 && payload[1] === 3 && payload[2] === 0x35;
  return payload[0] === 0x8e || (isLiteral && payload.toString("latin1", 2, 5) !== "501");
}
