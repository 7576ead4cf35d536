import type { Readable } from "node:stream";
import type { DescMessage, Message } from "@bufbuild/protobuf";
import { Failure } from "../error/failure.ts";
import type { BodyLease } from "../http/body-budget.ts";
import type { RequestHead } from "../http/message.ts";
import { readBody } from "../http/read-body.ts";
import type { JsonReader } from "../protojson/read.ts";
import type { Codec } from "./codec.ts";
import { type Encoding, inflate } from "./compression.ts";
import { decodeMessage } from "./decode.ts";
import { envelopeHeaderBytes, readSingleEnvelope } from "./envelope.ts";
import { readWebText } from "./grpc-web.ts";

export interface ReadOptions {
  readonly codec: Pick<Codec, "binary" | "enveloped" | "text">;
  readonly encoding: Encoding | undefined;
  /** Bound of the message, before and after inflating. */
  readonly maxBytes: number;
  readonly json: JsonReader;
  readonly lease: BodyLease;
}

/**
 * Reads the one message of a unary call from a request body. All protocols share it, so that they refuse the same requests with the same
 * text.
 */
export function readRequestMessage(
  head: Pick<RequestHead, "headers">,
  source: Readable,
  schema: DescMessage,
  options: ReadOptions,
): Promise<Message> {
  const { codec, maxBytes, lease } = options;
  const read = codec.text ? readWebText : readBody;
  return read(head, source, codec.enveloped ? envelopeHeaderBytes + maxBytes : maxBytes, lease).then((body) => {
    const bytes = messageBytes(body, options);
    if (bytes instanceof Promise) return decodeInflated(bytes, schema, body.length, options);
    return decodeMessage(schema, bytes, options, body.length);
  });
}

async function decodeInflated(
  inflated: Promise<Uint8Array>,
  schema: DescMessage,
  wireBytes: number,
  options: ReadOptions,
): Promise<Message> {
  const { lease } = options;
  const bytes = await inflated;
  // The deadline may have passed while the body was inflated; the call has then been answered.
  if (lease.cancelled !== undefined) throw lease.cancelled;
  return decodeMessage(schema, bytes, options, wireBytes);
}

function messageBytes(body: Buffer, { codec, encoding, maxBytes, lease }: ReadOptions): Uint8Array | Promise<Uint8Array> {
  if (!codec.enveloped) return encoding === undefined ? body : inflate(body, encoding, maxBytes, lease);
  const { data, compressed } = readSingleEnvelope(body, maxBytes);
  if (!compressed) return data;
  if (encoding === undefined) throw new Failure("UNDECLARED_COMPRESSION");
  return inflate(data, encoding, maxBytes, lease);
}
