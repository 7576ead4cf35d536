import type { Readable } from "node:stream";
import { Failure } from "../error/failure.ts";
import { headerOf, type RequestHead } from "./message.ts";

/**
 * The whole request body. Rejects with BODY_TOO_LARGE as soon as it is known to hold more than `maxBytes`, and with CANCELLED where the
 * caller goes away first. Listens for events itself: iterating the stream costs a quarter of the throughput. `source` is where the bytes
 * come from: the request, or the HTTP/2 stream below it.
 */
export function readBody(head: Pick<RequestHead, "headers">, source: Readable, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (Number(headerOf(head, "content-length")) > maxBytes) {
      reject(bodyTooLarge(maxBytes));
      return;
    }
    const chunks: Buffer[] = [];
    let byteLength = 0;
    let isOver = false;
    source.on("data", (chunk: Buffer) => {
      byteLength += chunk.length;
      if (byteLength > maxBytes) {
        isOver = true;
        source.pause();
        reject(bodyTooLarge(maxBytes));
        return;
      }
      chunks.push(chunk);
    });
    source.on("end", () => {
      isOver = true;
      resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, byteLength));
    });
    // Every request is closed some time, so a failure is made only where it tells something.
    const fail = (): void => {
      if (isOver) return;
      isOver = true;
      reject(new Failure("CANCELLED"));
    };
    source.on("error", fail);
    source.on("close", fail);
  });
}

export function bodyTooLarge(maxBytes: number): Failure {
  return new Failure("BODY_TOO_LARGE", { message: `the request body is larger than ${maxBytes} bytes` });
}
