import { promisify } from "node:util";
import { brotliDecompress, gunzip } from "node:zlib";
import { Failure } from "../error/failure.ts";
import { bodyTooLarge } from "../http/read-body.ts";

export type Encoding = "gzip" | "br";

/** What requests may be compressed with, as the accept headers list it. Answers are never compressed: they hold secrets beside chosen text. */
export const acceptedEncodings = "gzip,br";

const inflaters = { gzip: promisify(gunzip), br: promisify(brotliDecompress) };

/** The encoding that a request names; undefined for none. An unknown one is UNIMPLEMENTED, as gRPC and Connect ask. */
export function encodingOf(header: string | undefined): Encoding | undefined {
  if (header === undefined || header === "" || header === "identity") return undefined;
  if (header === "gzip" || header === "br") return header;
  throw new Failure("UNIMPLEMENTED", { message: `this compression is not supported; supported are ${acceptedEncodings}` });
}

/** The inflated bytes; BODY_TOO_LARGE where they are more than `maxBytes`, found out without inflating the rest. */
export async function inflate(bytes: Uint8Array, encoding: Encoding, maxBytes: number): Promise<Uint8Array> {
  if (bytes.length === 0) return bytes;
  try {
    return await inflaters[encoding](bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw bodyTooLarge(maxBytes);
    throw new Failure("MALFORMED_BODY", { message: `the request body is not valid ${encoding === "br" ? "brotli" : "gzip"} data` });
  }
}

/** As `inflate`, for a message whose envelope says that it is compressed: then an encoding must have been named. */
export async function inflateEnvelope(data: Uint8Array, encoding: Encoding | undefined, maxBytes: number): Promise<Uint8Array> {
  if (encoding === undefined) throw new Failure("UNDECLARED_COMPRESSION");
  return await inflate(data, encoding, maxBytes);
}
