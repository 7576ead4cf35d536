import type { Readable } from "node:stream";
import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { RequestHead } from "../http/message.ts";
import { readBody } from "../http/read-body.ts";
import type { JsonReader } from "../protojson/read.ts";
import type { Codec } from "./codec.ts";
import { type Encoding, inflate, inflateEnvelope } from "./compression.ts";
import { decodeMessage } from "./decode.ts";
import { envelopeHeaderBytes, readSingleEnvelope } from "./envelope.ts";

export interface ReadOptions {
  readonly codec: Pick<Codec, "binary" | "enveloped">;
  readonly encoding: Encoding | undefined;
  /** Bound of the message, before and after inflating. */
  readonly maxBytes: number;
  readonly json: JsonReader;
}

/** Reads the one message of a unary call from a request body. Lanes and adapter share it, so that they refuse the same things in the same words. */
export async function readRequestMessage(
  head: Pick<RequestHead, "headers">,
  source: Readable,
  schema: DescMessage,
  options: ReadOptions,
): Promise<Message> {
  const { codec, encoding, maxBytes, json } = options;
  if (!codec.enveloped) {
    const body = await readBody(head, source, maxBytes);
    return decodeMessage(schema, encoding === undefined ? body : await inflate(body, encoding, maxBytes), codec.binary, json);
  }
  const body = await readBody(head, source, envelopeHeaderBytes + maxBytes);
  const envelope = readSingleEnvelope(body, maxBytes);
  return decodeMessage(
    schema,
    envelope.compressed ? await inflateEnvelope(envelope.data, encoding, maxBytes) : envelope.data,
    codec.binary,
    json,
  );
}
