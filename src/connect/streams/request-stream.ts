import type { Readable } from "node:stream";
import { Failure } from "../../error/failure.ts";
import type { BodyLease } from "../../http/body-budget.ts";
import { createByteCollector } from "../../http/byte-collector.ts";
import { bodyTooLarge } from "../../http/read-body.ts";
import { checkFlags, envelopeHeaderBytes } from "../envelope.ts";
import { createWebTextDecoder } from "./web-text-stream.ts";

/** The window of an HTTP/2 stream. */
const windowBytes = 64 * 1024;

export interface EnvelopeOptions {
  /** Bound of each message. */
  readonly maxBytes: number;
  /** True if the body is in gRPC-Web's text form. */
  readonly isText: boolean;
  /** The account of the body. */
  readonly lease: BodyLease;
}

/**
 * The request messages of a stream, each complete and in its envelope, so that no other code keeps pieces. Fails with BODY_TOO_LARGE if a
 * message has more than `maxBytes`, or if a client sends more than 64 KiB, or two of the largest messages, ahead of the method that reads
 * them. Bytes are taken as they arrive, not only on demand. Otherwise the pieces would wait in Node's own queue, each with 150 bytes of
 * overhead.
 */
export function readEnvelopes(source: Readable, { maxBytes, isText, lease }: EnvelopeOptions): AsyncIterable<Uint8Array> {
  const maxUnreadBytes = Math.max(windowBytes, 2 * (envelopeHeaderBytes + maxBytes));
  const text = isText ? createWebTextDecoder() : undefined;
  const body = createByteCollector(maxUnreadBytes);
  const state: State = { rest: Buffer.alloc(0), isEnded: false, failure: undefined, wake: () => {} };
  source.on("data", (piece: Buffer) => {
    if (state.failure !== undefined || state.isEnded) return;
    try {
      const bytes = text === undefined ? piece : text.decode(piece);
      if (state.rest.length + body.length + bytes.length > maxUnreadBytes) throw sentAhead(maxUnreadBytes);
      lease.hold(state.rest.length + body.capacityWith(bytes.length));
      body.add(bytes);
    } catch (error) {
      fail(error);
    }
    state.wake();
  });
  const fail = (error: unknown): void => {
    state.failure ??= error;
    body.take();
  };
  const end = (): void => {
    try {
      text?.end();
    } catch (error) {
      fail(error);
    }
    state.isEnded = true;
    state.wake();
  };
  const gone = (): void => {
    if (!state.isEnded) state.failure ??= new Failure("CANCELLED");
    lease.release();
    state.wake();
  };
  source.on("end", end).on("error", gone).on("close", gone);
  return messages(body, state, maxBytes, lease);
}

interface State {
  /** Bytes that were taken from the collector and not yielded yet. */
  rest: Buffer;
  isEnded: boolean;
  failure: unknown;
  wake: () => void;
}

async function* messages(
  body: ReturnType<typeof createByteCollector>,
  state: State,
  maxBytes: number,
  lease: BodyLease,
): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      if (state.failure !== undefined) throw state.failure;
      const needed = neededBytes(state.rest, maxBytes);
      if (state.rest.length >= needed) {
        const envelope = state.rest.subarray(0, needed);
        state.rest = state.rest.subarray(needed);
        yield envelope;
      } else if (body.length > 0 && (state.isEnded || state.rest.length + body.length >= needed)) {
        state.rest = Buffer.concat([state.rest, body.take()]);
      } else if (state.isEnded) {
        // Connect refuses a truncated message.
        if (state.rest.length > 0) yield state.rest;
        return;
      } else {
        await new Promise<void>((resolve) => {
          state.wake = resolve;
        });
      }
    }
  } finally {
    state.isEnded = true;
    lease.release();
  }
}

/** Returns the bytes needed up to the end of the first message, if that is known. */
function neededBytes(bytes: Buffer, maxBytes: number): number {
  if (bytes.length < envelopeHeaderBytes) return envelopeHeaderBytes;
  const byteLength = bytes.readUInt32BE(1);
  if (byteLength > maxBytes) throw bodyTooLarge(maxBytes);
  checkFlags(bytes[0] as number);
  return envelopeHeaderBytes + byteLength;
}

function sentAhead(maxUnreadBytes: number): Failure {
  return new Failure("BODY_TOO_LARGE", { message: `more than ${maxUnreadBytes} bytes of requests were sent ahead of their responses` });
}
