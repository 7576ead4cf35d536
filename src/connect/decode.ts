import { create, type DescMessage, type Message, mergeFromBinary } from "@bufbuild/protobuf";
import { Failure } from "../error/failure.ts";
import type { BodyLease } from "../http/body-budget.ts";
import { createBinaryReader } from "../protobinary/read.ts";
import { nestedTooDeep } from "../protojson/fields.ts";
import type { JsonReader } from "../protojson/read.ts";
import type { Turns } from "../turns.ts";
import { checkedFields, checkShort, checkWire, maxDepth } from "./wire-check.ts";

/** Unknown fields are dropped: nothing here reads them, and each one kept is an object. */
const readOptions = { readUnknownFields: false, recursionLimit: maxDepth };
const readBinary = createBinaryReader(readOptions);

/** A longer message is decoded in several turns of the event loop. */
const maxBytesPerTurn = 64 * 1024;

export interface DecodeOptions {
  readonly codec: { readonly binary: boolean };
  readonly json: JsonReader;
  readonly lease: Pick<BodyLease, "decodeInTurns">;
}

/**
 * Decodes the request message; a long one in parts, so that other calls need not wait for it. `wireBytes` is the size before inflating.
 * Every problem with the bytes is the caller's fault, and the error's text contains no value from them.
 */
export function decodeMessage(
  schema: DescMessage,
  bytes: Uint8Array,
  { codec: { binary }, json, lease }: DecodeOptions,
  wireBytes: number,
): Message | Promise<Message> {
  if (bytes.length > maxBytesPerTurn) {
    const decoded = lease.decodeInTurns(async (turns) => {
      if (binary) return decodeInTurns(schema, bytes, wireBytes, turns);
      return json.readInTurns(schema, await json.parseInTurns(schema, bytes, turns), turns);
    });
    return decoded.catch((error: unknown) => {
      throw decodeFailure(error, binary);
    });
  }
  return decodeShort(schema, bytes, binary, json, wireBytes);
}

/** The same at once, for messages whose bound is short. */
export function decodeShort(schema: DescMessage, bytes: Uint8Array, binary: boolean, json: JsonReader, wireBytes: number): Message {
  try {
    if (!binary) return json.read(schema, json.parse(schema, bytes));
    checkWire(schema, bytes, wireBytes);
    return readBinary(schema, bytes, checkShort);
  } catch (error) {
    throw decodeFailure(error, binary);
  }
}

/** Fields other than lists of messages are decoded in chunks of about this size. */
const chunkBytes = 16 * 1024;

/** Decodes the items of lists of messages one at a time. */
async function decodeInTurns(schema: DescMessage, bytes: Uint8Array, wireBytes: number, turns: Turns): Promise<Message> {
  const lists = new Map(
    schema.fields.flatMap((field) => (field.fieldKind === "list" && field.message ? [[field.number, field.localName]] : [])),
  );
  const message = create(schema);
  const rest = { fields: [] as Uint8Array[], bytes: 0 };
  const mergeRest = () => {
    mergeFromBinary(schema, message, Buffer.concat(rest.fields), readOptions);
    rest.fields = [];
    rest.bytes = 0;
  };
  for (const { number, bytes: fieldBytes } of checkedFields(schema, bytes, wireBytes)) {
    const localName = lists.get(number);
    if (localName !== undefined) {
      listIn(message, localName).push(...listIn(readBinary(schema, fieldBytes), localName));
    } else {
      rest.fields.push(fieldBytes);
      rest.bytes += fieldBytes.length;
      if (rest.bytes >= chunkBytes) mergeRest();
    }
    if (turns.isOver()) await turns.next();
  }
  mergeRest();
  return message;
}

function listIn(message: Message, localName: string): unknown[] {
  return (message as unknown as Record<string, unknown[]>)[localName] as unknown[];
}

function decodeFailure(error: unknown, binary: boolean): Failure {
  if (error instanceof Failure) return error;
  if (String(error).includes("maximum recursion depth")) return nestedTooDeep();
  return new Failure("MALFORMED_BODY", {
    message: `the request body is not a valid ${binary ? "protobuf" : "JSON"} message`,
    cause: error,
  });
}
