import { type DescMessage, fromBinary, type Message } from "@bufbuild/protobuf";
import { Failure } from "../error/failure.ts";
import { maxDepth } from "../protojson/fields.ts";
import { nestedTooDeep } from "../protojson/invalid-fields.ts";
import type { JsonReader } from "../protojson/read.ts";
import { checkWire } from "./wire-check.ts";

/**
 * Unknown fields are dropped: nothing here looks at them, and each that is kept is an object. A level of JSON in a Struct takes three
 * levels of messages, so both formats have room for the same depth, and refuse the same in the same words.
 */
const binaryOptions = { readUnknownFields: false, recursionLimit: 3 * maxDepth + 10 };

/**
 * The request message in these bytes, which were `wireBytes` when they came, before inflating. Whatever is wrong with them is the
 * caller's fault, and no value of theirs is in the error's text.
 */
export function decodeMessage(schema: DescMessage, bytes: Uint8Array, binary: boolean, json: JsonReader, wireBytes: number): Message {
  try {
    if (!binary) return json.read(schema, json.parse(schema, bytes));
    checkWire(schema, bytes, wireBytes);
    return fromBinary(schema, bytes, binaryOptions);
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (String(error).includes("maximum recursion depth")) throw nestedTooDeep();
    throw new Failure("MALFORMED_BODY", {
      message: `the request body is not a valid ${binary ? "protobuf" : "JSON"} message`,
      cause: error,
    });
  }
}
