import { Failure } from "../error/failure.ts";
import { type HttpRequest, headerOf } from "./message.ts";

/**
 * The whole request body. Rejects with BODY_TOO_LARGE as soon as it is known to hold more than `maxBytes`, and with CANCELLED where the
 * caller goes away first. Listens for events itself: iterating the stream costs a quarter of the throughput.
 */
export function readBody(request: HttpRequest, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (Number(headerOf(request, "content-length")) > maxBytes) {
      reject(tooLarge(maxBytes));
      return;
    }
    const chunks: Buffer[] = [];
    let byteLength = 0;
    request.on("data", (chunk: Buffer) => {
      byteLength += chunk.length;
      if (byteLength > maxBytes) {
        request.pause();
        reject(tooLarge(maxBytes));
        return;
      }
      chunks.push(chunk);
    });
    request.on("end", () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, byteLength)));
    request.on("error", () => reject(new Failure("CANCELLED")));
    request.on("aborted", () => reject(new Failure("CANCELLED")));
    request.on("close", () => reject(new Failure("CANCELLED")));
  });
}

function tooLarge(maxBytes: number): Failure {
  return new Failure("BODY_TOO_LARGE", { message: `the request body is larger than ${maxBytes} bytes` });
}
