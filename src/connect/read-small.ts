import type { ServerHttp2Stream } from "node:http2";
import { Failure } from "../error/failure.ts";
import { bodyTooLarge } from "../http/read-body.ts";

/**
 * Reads a body of a few bytes and leaves no listener on the stream, which may stay open for minutes: each listener would retain what was
 * read. Rejects with BODY_TOO_LARGE, or with CANCELLED if the caller disconnects.
 */
export function readSmallBody(stream: ServerHttp2Stream, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let body = Buffer.alloc(0);
    const stop = (): void => {
      stream.off("data", read).off("end", end).off("close", fail);
    };
    const read = (chunk: Buffer): void => {
      body = Buffer.concat([body, chunk]);
      if (body.length <= maxBytes) return;
      stop();
      stream.resume();
      reject(bodyTooLarge(maxBytes));
    };
    const end = (): void => {
      stop();
      resolve(body);
    };
    const fail = (): void => {
      stop();
      reject(new Failure("CANCELLED"));
    };
    stream.on("data", read).on("end", end).on("close", fail);
  });
}
