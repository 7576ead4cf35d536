import type { DescMessage, Message } from "@bufbuild/protobuf";
import { Failure } from "../error/failure.ts";
import { createBinaryReader } from "../protobinary/read.ts";
import { maxDepth } from "../protojson/fields.ts";
import { nestedTooDeep } from "../protojson/invalid-fields.ts";
import type { JsonReader } from "../protojson/read.ts";
import { checkWire } from "./wire-check.ts";

/**
 * Unknown fields are dropped: nothing here reads them, and each one kept is an object. A level of JSON in a Struct takes three
 * levels of messages, so both formats accept the same depth, and refuse with the same text.
 */
const readBinary = createBinaryReader({ readUnknownFields: false, recursionLimit: 3 * maxDepth + 10 });

/**
 * Decodes the request message. `wireBytes` is the size before inflating. Every problem with the bytes is the
 * caller's fault, and the error's text contains no value from them.
 */
export function decodeMessage(schema: DescMessage, bytes: Uint8Array, binary: boolean, json: JsonReader, wireBytes: number): Message {
  try {
    if (!binary) return json.read(schema, json.parse(schema, bytes));
    checkWire(schema, bytes, wireBytes);
    return readBinary(schema, bytes);
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (String(error).includes("maximum recursion depth")) throw nestedTooDeep();
    throw new Failure("MALFORMED_BODY", {
      message: `the request body is not a valid ${binary ? "protobuf" : "JSON"} message`,
      cause: error,
    });
  }
}
