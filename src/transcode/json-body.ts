import { isUtf8 } from "node:buffer";
import { Failure } from "../error/failure.ts";
import { parseMediaType } from "../http/media-type.ts";
import { type HttpRequest, headerOf } from "../http/message.ts";
import { jsonErrorOffset } from "./json-position.ts";

/** Refuses with UNSUPPORTED_MEDIA_TYPE what is not JSON in UTF-8, as it is. */
export function checkMediaType(request: HttpRequest): void {
  const contentType = headerOf(request, "content-type");
  if (contentType !== "application/json" && !isJsonMediaType(contentType ?? "")) throw new Failure("UNSUPPORTED_MEDIA_TYPE");
  const encoding = headerOf(request, "content-encoding");
  if (encoding !== undefined && encoding.trim().toLowerCase() !== "identity") {
    throw new Failure("UNSUPPORTED_MEDIA_TYPE", { message: "the request body must not have a content-encoding" });
  }
}

/** `application/json` and `application/*+json` in any case and spelling; the only charset is UTF-8. */
export function isJsonMediaType(contentType: string): boolean {
  const { essence, isUtf8 } = parseMediaType(contentType);
  return isUtf8 && (essence === "application/json" || /^application\/[^\s/+]+(?:\+[^\s/+]+)*\+json$/.test(essence));
}

/** Parses a body. Throws MALFORMED_BODY with the place of the error, never with text of the body. */
export function parseJson(body: Buffer): unknown {
  if (!isUtf8(body)) throw malformed(`it is not valid UTF-8 at byte ${invalidByteOffset(body)}`);
  const text = body.toString("utf8");
  try {
    return JSON.parse(text);
  } catch {
    throw malformed(`it is not valid JSON at ${lineAndColumn(text, jsonErrorOffset(text) ?? 0)}`);
  }
}

function malformed(problem: string): Failure {
  return new Failure("MALFORMED_BODY", { message: `the request body cannot be read: ${problem}` });
}

function lineAndColumn(text: string, offset: number): string {
  const before = text.slice(0, offset);
  const lastBreak = before.lastIndexOf("\n");
  return `line ${before.split("\n").length}, column ${offset - lastBreak}`;
}

const replacement = "\ufffd";

/** Offset of the first byte that is no UTF-8: where decoding makes a replacement character that is not in the bytes. */
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
