import { isUtf8 } from "node:buffer";
import { Failure } from "../error/failure.ts";
import { invalidFields } from "./invalid-fields.ts";
import { jsonErrorOffset } from "./json-position.ts";
import { scanJson } from "./scan-json.ts";

/**
 * Parses the JSON text of a caller, with or without a byte order mark. Throws MALFORMED_BODY with the position of the error and no text of
 * the body. Throws INVALID_REQUEST for valid JSON that parsers read differently or that costs too much; see scanJson.
 */
export function parseJson(bytes: Uint8Array, maxValues: number): unknown {
  const body = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!isUtf8(body)) throw malformed(`it is not valid UTF-8 at byte ${invalidByteOffset(body)}`);
  const text = body.toString("utf8", startsWithMark(body) ? byteOrderMarkBytes : 0);
  const problems = scanJson(text, maxValues);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed(`it is not valid JSON at ${lineAndColumn(text, jsonErrorOffset(text) ?? 0)}`);
  }
  if (problems.length > 0) throw invalidFields(problems);
  return value;
}

function malformed(problem: string): Failure {
  return new Failure("MALFORMED_BODY", { message: `the request body cannot be read: ${problem}` });
}

const byteOrderMarkBytes = 3;

function startsWithMark(body: Buffer): boolean {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
}

function lineAndColumn(text: string, offset: number): string {
  const before = text.slice(0, offset);
  const lastBreak = before.lastIndexOf("\n");
  return `line ${before.split("\n").length}, column ${offset - lastBreak}`;
}

const replacement = "\ufffd";

/** Offset of the first byte that is not UTF-8: where decoding inserts a replacement character that is not in the bytes. */
function invalidByteOffset(body: Buffer): number {
  const text = body.toString("utf8");
  let byteOffset = 0;
  let from = 0;
  for (let at = text.indexOf(replacement); at >= 0; at = text.indexOf(replacement, from)) {
    byteOffset += Buffer.byteLength(text.slice(from, at));
    if (body[byteOffset] !== 0xef || body[byteOffset + 1] !== 0xbf || body[byteOffset + 2] !== 0xbd) return byteOffset;
    byteOffset += 3;
    from = at + 1;
  }
  return byteOffset;
}
