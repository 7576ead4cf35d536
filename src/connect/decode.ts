import { isUtf8 } from "node:buffer";
import { type DescMessage, fromBinary, type Message } from "@bufbuild/protobuf";
import { Failure } from "../error/failure.ts";
import type { JsonReader } from "../protojson/read.ts";
import { checkWire } from "./wire-check.ts";

/** Nothing here looks at unknown fields, and each that is kept is an object. */
const binaryOptions = { readUnknownFields: false };

/**
 * The request message in these bytes, which were `wireBytes` when they came, before inflating. Whatever is wrong with them is the
 * caller's fault, and no value of theirs is in the error's text.
 */
export function decodeMessage(schema: DescMessage, bytes: Uint8Array, binary: boolean, json: JsonReader, wireBytes: number): Message {
  try {
    if (!binary) return json.read(schema, parseJson(bytes));
    checkWire(schema, bytes, wireBytes);
    return fromBinary(schema, bytes, binaryOptions);
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure("MALFORMED_BODY", {
      message: `the request body is not a valid ${binary ? "protobuf" : "JSON"} message`,
      cause: error,
    });
  }
}

function parseJson(bytes: Uint8Array): unknown {
  if (!isUtf8(bytes)) throw new Failure("MALFORMED_BODY", { message: "the request body is not valid UTF-8" });
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"));
  } catch {
    // The parser's own text quotes the body.
    throw new Failure("MALFORMED_BODY", { message: "the request body is not valid JSON" });
  }
}
