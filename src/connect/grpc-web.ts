import { Readable } from "node:stream";
import { Failure } from "../error/failure.ts";
import type { RequestHead } from "../http/message.ts";
import { readBody } from "../http/read-body.ts";
import { envelopeHeaderBytes, writeEnvelope } from "./envelope.ts";

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

/** A whole body in the text form, as the bytes that it stands for. `maxBytes` is the bound of the message in it. */
export async function readWebText(head: Pick<RequestHead, "headers">, source: Readable, maxBytes: number): Promise<Readable> {
  const maxTextBytes = Math.ceil((envelopeHeaderBytes + maxBytes) / 3) * 4 + maxParts * 4;
  const text = (await readBody(head, source, maxTextBytes)).toString("latin1");
  return Readable.from([decodeWebText(text)], { objectMode: false });
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
