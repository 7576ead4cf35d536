import { Failure } from "../error/failure.ts";
import { bodyTooLarge } from "../http/read-body.ts";

/** Bytes before each message: one of flags, four of length (big-endian). */
export const envelopeHeaderBytes = 5;

const compressedFlag = 1;

export interface Envelope {
  readonly compressed: boolean;
  readonly data: Uint8Array;
}

/** Returns the only message of a unary call. None, or more than one, is UNIMPLEMENTED (gRPC status codes: cardinality violation). */
export function readSingleEnvelope(body: Buffer, maxBytes: number): Envelope {
  if (body.length === 0) throw new Failure("UNIMPLEMENTED", { message: "a unary call must have exactly one message, but has none" });
  if (body.length < envelopeHeaderBytes) throw malformed("the envelope of the message is cut off");
  const flags = body[0] as number;
  const byteLength = body.readUInt32BE(1);
  if (byteLength > maxBytes) throw bodyTooLarge(maxBytes);
  checkFlags(flags);
  const end = envelopeHeaderBytes + byteLength;
  if (body.length < end) throw malformed("the message is shorter than its envelope says");
  if (body.length > end) throw new Failure("UNIMPLEMENTED", { message: "a unary call must have exactly one message, but has more" });
  return { compressed: flags === compressedFlag, data: body.subarray(envelopeHeaderBytes, end) };
}

/** Throws MALFORMED_BODY for flags that no request message has. */
export function checkFlags(flags: number): void {
  if (flags > compressedFlag) throw malformed("the envelope of the message has unknown flags");
}

/** Puts the uncompressed message into its envelope. `flags` mark anything other than a message. */
export function writeEnvelope(message: Uint8Array, flags = 0): Buffer {
  const bytes = Buffer.allocUnsafe(envelopeHeaderBytes + message.length);
  bytes.set(message, envelopeHeaderBytes);
  return setEnvelopeHeader(bytes, flags);
}

/** Writes the header of an envelope before the message that fills the rest of `bytes`, and returns them. */
export function setEnvelopeHeader(bytes: Buffer, flags: number): Buffer {
  bytes[0] = flags;
  bytes.writeUInt32BE(bytes.length - envelopeHeaderBytes, 1);
  return bytes;
}

function malformed(message: string): Failure {
  return new Failure("MALFORMED_BODY", { message });
}
