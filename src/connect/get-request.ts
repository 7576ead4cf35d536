import type { DescMessage, Message } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { Failure } from "../error/failure.ts";
import { bodyTooLarge } from "../http/read-body.ts";
import type { JsonReader } from "../protojson/read.ts";
import { type Codec, codecOf } from "./codec.ts";
import { encodingOf, inflate } from "./compression.ts";
import { decodeMessage } from "./decode.ts";

/** The codec that a Connect GET names (Connect protocol, "Unary-Get-Request"), or undefined where it names none. */
export function codecOfQuery(query: URLSearchParams): Codec | undefined {
  const encoding = query.get("encoding");
  return encoding === "json" || encoding === "proto" ? codecOf(`application/${encoding}`) : undefined;
}

/** The message in the query of a Connect GET. */
export async function readQueryMessage(
  query: URLSearchParams,
  schema: DescMessage,
  binary: boolean,
  maxBytes: number,
  json: JsonReader,
): Promise<Message> {
  const encoding = encodingOf(query.get("compression") ?? undefined);
  const message = query.get("message") ?? "";
  const bytes = query.get("base64") === "1" ? decodeBase64(message) : Buffer.from(message);
  if (bytes.length > maxBytes) throw bodyTooLarge(maxBytes);
  return decodeMessage(schema, encoding === undefined ? bytes : await inflate(bytes, encoding, maxBytes), binary, json);
}

function decodeBase64(text: string): Uint8Array {
  try {
    return base64Decode(text);
  } catch {
    throw new Failure("MALFORMED_BODY", { message: "the message in the query is not valid base64" });
  }
}
