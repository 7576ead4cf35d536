import type { Readable } from "node:stream";
import { Failure } from "../error/failure.ts";
import type { BodyLease } from "../http/body-budget.ts";
import type { RequestHead } from "../http/message.ts";
import { readBody } from "../http/read-body.ts";
import { writeEnvelope } from "./envelope.ts";

/** Flag of the envelope that holds trailers (gRPC-Web, "Message framing"). */
const trailerFlag = 0x80;

/** Trailers as the last frame of a gRPC-Web body. */
export function trailerFrame(trailers: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries(trailers).map(([name, value]) => `${name}: ${value}\r\n`);
  return writeEnvelope(Buffer.from(lines.join("")), trailerFlag);
}

/** Bytes in the text form of gRPC-Web. */
export function webText(bytes: Uint8Array): Buffer {
  return Buffer.from(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64"));
}

/** Reads a whole body in the text form and returns its bytes, which may be a few more than `maxBytes`. Throws as `readBody` does. */
export async function readWebText(
  head: Pick<RequestHead, "headers">,
  source: Readable,
  maxBytes: number,
  lease: BodyLease,
): Promise<Buffer> {
  const text = await readBody(head, source, Math.ceil(maxBytes / 3) * 4 + maxParts * 4, lease);
  // The text, its string and its bytes are held at the same time.
  lease.hold(Math.ceil(text.length * (1 + 1 + 3 / 4)));
  const bytes = decodeWebText(text.toString("latin1"));
  lease.hold(bytes.length);
  return bytes;
}

/** Clients may send a body as several base64 texts, each with its padding. A unary call needs one. */
const maxParts = 100;
const paddedGroup = /^(?:[^=]{3}=|[^=]{2}==)$/;

/** Decodes one or more padded base64 texts that follow each other. Throws MALFORMED_BODY. */
export function decodeWebText(text: string): Buffer {
  if (text.length % 4 !== 0 || !/^[A-Za-z\d+/=]*$/.test(text)) throw invalidText();
  const bytes = Buffer.allocUnsafe((text.length / 4) * 3);
  let length = 0;
  let parts = 0;
  for (let start = 0; start < text.length; ) {
    const padding = text.indexOf("=", start);
    const end = padding < 0 ? text.length : padding - (padding % 4) + 4;
    parts += 1;
    if (parts > maxParts || (padding >= 0 && !paddedGroup.test(text.slice(end - 4, end)))) throw invalidText();
    length += bytes.write(text.slice(start, end), length, "base64");
    start = end;
  }
  return bytes.subarray(0, length);
}

function invalidText(): Failure {
  return new Failure("MALFORMED_BODY", { message: "the request body is not valid base64" });
}
