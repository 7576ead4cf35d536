import { once } from "node:events";
import { connect } from "node:net";
import { flags, frame, frameTypes, hpackInteger, preface } from "../test/hostile/http2-wire.ts";
import type { Load } from "./load.ts";

const maxWindow = Buffer.from([0x7f, 0xff, 0, 0]);

/**
 * Sends the same unary call on a few connections with many streams each, from prebuilt frames, because Node's own HTTP/2 client costs more
 * than the measured servers. From the second request on, headers are indexed, as clients do. Fails if the length of an answer differs.
 */
export async function http2Load(
  port: number,
  headers: readonly (readonly [name: string, value: string])[],
  body: Buffer,
  answerLength: number,
  { connections, streams }: { connections: number; streams: number },
): Promise<Load> {
  const { first, later } = headerBlocks(headers);
  let isRunning = false;
  let isBroken = false;
  let requests = 0;
  let waiting = 0;
  let idle: (() => void) | undefined;
  let fail: ((error: Error) => void) | undefined;

  const open = async () => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    let nextStreamId = 1;
    const send = () => {
      const head = frame(frameTypes.headers, flags.endHeaders, nextStreamId, nextStreamId === 1 ? first : later);
      socket.write(Buffer.concat([head, frame(frameTypes.data, flags.endStream, nextStreamId, body)]));
      nextStreamId += 2;
    };
    let pending = Buffer.alloc(0) as Buffer;
    socket.on("data", (chunk) => {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      let offset = 0;
      for (; pending.length >= offset + 9; ) {
        const length = pending.readUIntBE(offset, 3);
        if (pending.length < offset + 9 + length) break;
        const [type, flag] = [pending[offset + 3], pending[offset + 4] ?? 0];
        if (type === frameTypes.settings && flag === 0) socket.write(frame(frameTypes.settings, flags.ack, 0));
        else if (type === frameTypes.ping && flag === 0)
          socket.write(frame(frameTypes.ping, flags.ack, 0, pending.subarray(offset + 9, offset + 17)));
        else if (type === frameTypes.reset || type === frameTypes.goaway) fail?.(new Error("the server ended a stream or the session"));
        else if (type === frameTypes.data && length > 0 && length !== answerLength)
          fail?.(new Error(`an answer of ${length} bytes, not ${answerLength}`));
        if ((type === frameTypes.headers || type === frameTypes.data) && (flag & flags.endStream) !== 0) {
          requests += 1;
          if (isRunning) send();
          else if (--waiting === 0) idle?.();
        }
        offset += 9 + length;
      }
      pending = pending.subarray(offset);
    });
    socket.on("close", () => {
      isBroken = true;
      fail?.(new Error("the server closed a connection"));
    });
    socket.write(Buffer.concat([preface, frame(frameTypes.settings, 0, 0), frame(frameTypes.windowUpdate, 0, 0, maxWindow)]));
    return { socket, send };
  };
  const opened = await Promise.all(Array.from({ length: connections }, open));

  return {
    run(durationMs) {
      return new Promise((resolve, reject) => {
        fail = reject;
        if (isBroken) reject(new Error("the server closed a connection"));
        idle = () => resolve(requests);
        requests = 0;
        waiting = connections * streams;
        isRunning = true;
        setTimeout(() => {
          isRunning = false;
        }, durationMs);
        for (const { send } of opened) for (let stream = 0; stream < streams; stream += 1) send();
      });
    },
    close() {
      fail = undefined;
      for (const { socket } of opened) socket.destroy();
    },
  };
}

/**
 * `:method: POST` and `:scheme: http` use their static indexes. Other headers are added to the dynamic table first and then use its index.
 */
function headerBlocks(headers: readonly (readonly [name: string, value: string])[]): { first: Buffer; later: Buffer } {
  const pseudo = Buffer.from([0x83, 0x86]);
  const text = (value: string) => Buffer.concat([hpackInteger(value.length, 7, 0), Buffer.from(value, "latin1")]);
  const literals = headers.map(([name, value]) => Buffer.concat([Buffer.from([0x40]), text(name), text(value)]));
  const indexes = headers.map((_, position) => hpackInteger(62 + headers.length - 1 - position, 7, 0x80));
  return { first: Buffer.concat([pseudo, ...literals]), later: Buffer.concat([pseudo, ...indexes]) };
}
