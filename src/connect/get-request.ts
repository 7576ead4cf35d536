import type { DescMessage, Message } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { Failure, invalidField } from "../error/failure.ts";
import type { BodyLease } from "../http/body-budget.ts";
import { bodyTooLarge } from "../http/read-body.ts";
import type { JsonReader } from "../protojson/read.ts";
import { type Codec, codecOf } from "./codec.ts";
import { encodingOf, inflate } from "./compression.ts";
import { decodeMessage } from "./decode.ts";
import { checkVersionParameter } from "./protocol-version.ts";

/** The codec that a Connect GET names (Connect protocol, "Unary-Get-Request"), or undefined if it names none. */
export function codecOfQuery(query: URLSearchParams): Codec | undefined {
  const encoding = query.get("encoding");
  return encoding === "json" || encoding === "proto" ? codecOf(`application/${encoding}`) : undefined;
}

interface QueryMessageOptions {
  readonly binary: boolean;
  /** Bound of the message, before and after inflating. */
  readonly maxBytes: number;
  readonly json: JsonReader;
  /** The account of the body, which counts inflated bytes. It is closed when the message is decoded or the reading fails. */
  readonly lease: BodyLease;
}

/** Reads the message in the query of a Connect GET. */
export async function readQueryMessage(
  query: URLSearchParams,
  schema: DescMessage,
  { binary, maxBytes, json, lease }: QueryMessageOptions,
): Promise<Message> {
  try {
    checkParameters(query);
    const encoding = encodingOf(query.get("compression") ?? undefined);
    const message = query.get("message") ?? "";
    const bytes = query.get("base64") === "1" ? decodeBase64(message) : Buffer.from(message);
    if (bytes.length > maxBytes) throw bodyTooLarge(maxBytes);
    const inflated = encoding === undefined ? bytes : await inflate(bytes, encoding, maxBytes, lease);
    if (lease.cancelled !== undefined) throw lease.cancelled;
    return await decodeMessage(schema, inflated, { codec: { binary }, json, lease }, bytes.length);
  } finally {
    lease.release();
  }
}

const parameters = ["connect", "encoding", "compression", "base64", "message"];

/** A proxy or a cache may read another one of several parameters of the same name. */
function checkParameters(query: URLSearchParams): void {
  const repeated = parameters.find((name) => query.getAll(name).length > 1);
  if (repeated !== undefined) throw invalidField(repeated, "is a query parameter that is given twice");
  checkVersionParameter(query.get("connect"));
}

function decodeBase64(text: string): Uint8Array {
  try {
    return base64Decode(text);
  } catch {
    throw new Failure("MALFORMED_BODY", { message: "the message in the query is not valid base64" });
  }
}
