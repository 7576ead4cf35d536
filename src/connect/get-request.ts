import type { DescMessage, Message } from "@bufbuild/protobuf";
import { Failure, invalidField } from "../error/failure.ts";
import type { BodyLease } from "../http/body-budget.ts";
import { bodyTooLarge } from "../http/read-body.ts";
import type { JsonReader } from "../protojson/read.ts";
import { type Codec, codecOf } from "./codec.ts";
import { encodingOf, inflate } from "./compression.ts";
import { decodeMessage } from "./decode.ts";
import { checkVersionParameter } from "./protocol-version.ts";

/** The query of a Connect GET (Connect protocol, "Unary-Get-Request"), as received and parsed. */
export interface GetQuery {
  readonly text: string;
  readonly parameters: URLSearchParams;
}

export function parseGetQuery(text: string): GetQuery {
  return { text, parameters: new URLSearchParams(text) };
}

/** The codec that a Connect GET names, or undefined if it names none. */
export function codecOfQuery({ parameters }: GetQuery): Codec | undefined {
  const encoding = parameters.get("encoding");
  return encoding === "json" || encoding === "proto" ? codecOf(`application/${encoding}`) : undefined;
}

interface QueryMessageOptions {
  readonly binary: boolean;
  /** Bound of the message, before and after inflating. */
  readonly maxBytes: number;
  readonly json: JsonReader;
  /** Counts inflated bytes. */
  readonly lease: BodyLease;
}

/** Reads the message in the query of a Connect GET. */
export async function readQueryMessage(
  { text, parameters }: GetQuery,
  schema: DescMessage,
  { binary, maxBytes, json, lease }: QueryMessageOptions,
): Promise<Message> {
  checkParameters(parameters);
  const encoding = encodingOf(parameters.get("compression") ?? undefined);
  const bytes = messageBytes(text, parameters.get("base64") === "1");
  if (bytes.length > maxBytes) throw bodyTooLarge(maxBytes);
  const inflated = encoding === undefined ? bytes : await inflate(bytes, encoding, maxBytes, lease);
  if (lease.cancelled !== undefined) throw lease.cancelled;
  return decodeMessage(schema, inflated, { codec: { binary }, json, lease }, bytes.length);
}

const parameterNames = ["connect", "encoding", "compression", "base64", "message"];

/** A proxy or a cache may read another one of several parameters of the same name. */
function checkParameters(parameters: URLSearchParams): void {
  const repeated = parameterNames.find((name) => parameters.getAll(name).length > 1);
  if (repeated !== undefined) throw invalidField(repeated, "is a query parameter that is given twice");
  if (!parameters.has("message")) throw invalidField("message", "is a query parameter that must be given");
  checkVersionParameter(parameters.get("connect"));
}

/** Not from URLSearchParams, which replaces what is not UTF-8: a binary message need not be in base64. */
function messageBytes(query: string, isBase64: boolean): Buffer {
  const raw = rawMessage(query);
  // A client that does not encode the plus of base64 can mean nothing else by it.
  return isBase64 ? decodeBase64(decodePercent(raw).toString("latin1")) : decodePercent(raw.replaceAll("+", " "));
}

/** The names are read by URLSearchParams, as those of the other parameters are: a letter may be percent-encoded. */
function rawMessage(query: string): string {
  // URLSearchParams drops a question mark, but only the very first character.
  const parts = query.replace(/^\?/, "").split("&");
  const message = parts.find((part) => new URLSearchParams(`&${part}`).has("message")) ?? "";
  return message.includes("=") ? message.slice(message.indexOf("=") + 1) : "";
}

function decodePercent(raw: string): Buffer {
  if (/%(?![\da-f]{2})/i.test(raw)) throw malformed("is not validly percent-encoded");
  const decoded = raw.replace(/%(..)/g, (_escape, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(decoded, "latin1");
}

/** Either alphabet, with or without padding. Decoders skip other characters, or stop at them, each in its own way. */
function decodeBase64(text: string): Buffer {
  const unpadded = text.replace(/={1,2}$/, "");
  if (!/^[\w+/-]*$/.test(unpadded) || unpadded.length % 4 === 1) throw malformed("is not valid base64");
  return Buffer.from(unpadded, "base64");
}

function malformed(problem: string): Failure {
  return new Failure("MALFORMED_BODY", { message: `the message in the query ${problem}` });
}
