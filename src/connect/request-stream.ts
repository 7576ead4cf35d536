import type { Readable } from "node:stream";
import { Failure } from "../error/failure.ts";
import type { BodyLease } from "../http/body-budget.ts";
import { createByteCollector } from "../http/byte-collector.ts";
import { bodyTooLarge } from "../http/read-body.ts";
import { envelopeHeaderBytes } from "./envelope.ts";

/** What a client may send ahead of the method that reads it: the window of an HTTP/2 stream. */
const maxUnreadBytes = 64 * 1024;

/**
 * The request messages of a stream, each whole and in its envelope, so that nobody else keeps pieces. Fails with BODY_TOO_LARGE where a
 * message has more than `maxBytes` or more than 64 KiB are sent ahead. Bytes are taken as they come and not only when somebody asks: the
 * pieces would wait in Node's own queue, each at 150 bytes beside its own.
 */
export function readEnvelopes(source: Readable, maxBytes: number, lease: BodyLease): AsyncIterable<Uint8Array> {
  const body = createByteCollector(maxUnreadBytes);
  const state: State = { rest: Buffer.alloc(0), isEnded: false, failure: undefined, wake: () => {} };
  source.on("data", (piece: Buffer) => {
    if (state.failure !== undefined || state.isEnded) return;
    try {
      if (state.rest.length + body.length + piece.length > maxUnreadBytes) throw sentAhead();
      lease.hold(state.rest.length + body.capacityWith(piece.length));
      body.add(piece);
    } catch (error) {
      state.failure = error;
      body.take();
    }
    state.wake();
  });
  const end = (): void => {
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
  /** Bytes that were taken from the collector and not given out. */
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
        // What is cut off is Connect's to refuse.
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

/** Bytes up to the end of the first message, as far as that is known. */
function neededBytes(bytes: Buffer, maxBytes: number): number {
  if (bytes.length < envelopeHeaderBytes) return envelopeHeaderBytes;
  const byteLength = bytes.readUInt32BE(1);
  if (byteLength > maxBytes) throw bodyTooLarge(maxBytes);
  return envelopeHeaderBytes + byteLength;
}

function sentAhead(): Failure {
  return new Failure("BODY_TOO_LARGE", { message: `more than ${maxUnreadBytes} bytes of requests were sent ahead of their answers` });
}
