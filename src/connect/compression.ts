import { promisify } from "node:util";
import { brotliDecompress, brotliDecompressSync, gunzip, gunzipSync } from "node:zlib";
import { Failure } from "../error/failure.ts";
import type { BodyLease } from "../http/body-budget.ts";
import { bodyTooLarge } from "../http/read-body.ts";
import { capBrotliWindow } from "./brotli-window.ts";

export type Encoding = "gzip" | "br";

/**
 * Encodings of requests, in the form of the accept headers. Responses are never compressed, because they contain secrets together with text
 * that a caller chose.
 */
export const acceptedEncodings = "gzip,br";

/**
 * A compressed message may inflate to this, plus `maxInflationRatio` bytes for each compressed byte. So the cost of a request is bounded by
 * its size on the wire.
 */
const inflationFloorBytes = 16 * 1024;

/** Up to this size, inflating synchronously takes less time than the thread pool would, and keeps callers without a token off the pool. */
const inlineBytes = 64 * 1024;

const inlineInflaters = { gzip: gunzipSync, br: brotliDecompressSync };
const pooledInflaters = { gzip: promisify(gunzip), br: promisify(brotliDecompress) };

/** The encoding that a request names; undefined if it names none. Throws UNIMPLEMENTED for an unknown one, as gRPC and Connect require. */
export function encodingOf(header: string | undefined): Encoding | undefined {
  if (header === undefined) return undefined;
  // Names of codings have no case (RFC 9110, section 8.4.1).
  const name = header.toLowerCase();
  if (name === "" || name === "identity") return undefined;
  if (name === "gzip" || name === "br") return name;
  throw new Failure("UNIMPLEMENTED", { message: `unsupported compression; supported: ${acceptedEncodings}` });
}

/** Maximum inflated size of this many compressed bytes, if a message may have `maxBytes`. */
export function maxInflatedBytes(
  byteLength: number,
  maxBytes: number,
  { maxInflationRatio }: Pick<BodyLease, "maxInflationRatio">,
): number {
  return Math.min(maxBytes, inflationFloorBytes + maxInflationRatio * byteLength);
}

/** Returns the inflated bytes. Rejects with BODY_TOO_LARGE if there are more than `maxInflatedBytes`, without inflating the rest. */
export async function inflate(bytes: Uint8Array, encoding: Encoding, maxBytes: number, lease: BodyLease): Promise<Uint8Array> {
  if (bytes.length === 0) return bytes;
  const maxOutputLength = maxInflatedBytes(bytes.length, maxBytes, lease);
  const input = encoding === "br" ? capBrotliWindow(bytes, maxOutputLength) : bytes;
  try {
    if (maxOutputLength <= inlineBytes) return inlineInflaters[encoding](input, { maxOutputLength });
    lease.hold(bytes.length + maxOutputLength);
    const inflated = await lease.inTurn(() => pooledInflaters[encoding](input, { maxOutputLength }));
    lease.hold(inflated.length);
    return inflated;
  } catch (error) {
    if (error instanceof Failure) throw error;
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw inflatesTooFar(maxOutputLength, maxBytes, lease);
    throw new Failure("MALFORMED_BODY", { message: `the request body is not valid ${encoding === "br" ? "brotli" : "gzip"} data` });
  }
}

function inflatesTooFar(maxOutputBytes: number, maxBytes: number, { maxInflationRatio }: BodyLease): Failure {
  if (maxOutputBytes === maxBytes) return bodyTooLarge(maxBytes);
  return new Failure("BODY_TOO_LARGE", {
    message: `the request body inflates to more than ${maxInflationRatio} times its size and ${inflationFloorBytes} bytes; send it uncompressed`,
  });
}
