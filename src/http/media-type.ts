import { Failure } from "../error/failure.ts";
import type { HttpCall } from "./http-call.ts";

/** The parts of a Content-Type (RFC 9110, section 8.3.1) that decide how a body is read. */
export interface MediaType {
  /** Type and subtype in lower case, without parameters: `application/json`. */
  readonly essence: string;
  /** Returns false if a `charset` parameter names something other than UTF-8. */
  readonly isUtf8: boolean;
}

const parameter = /;\s*([^=;\s"]*)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^;]*))?/g;
const utf8Names: ReadonlySet<string> = new Set(["", "utf-8", "utf8"]);

/**
 * Accepts the spellings that clients send: any case, `utf8` for `utf-8`, quotes around it, empty parameters, and unknown
 * parameters.
 */
export function parseMediaType(contentType: string): MediaType {
  const text = contentType.toLowerCase();
  const end = text.indexOf(";");
  if (end < 0) return { essence: text.trim(), isUtf8: true };
  const charsets = [...text.slice(end).matchAll(parameter)].filter(([, name]) => name === "charset").map(([, , value = ""]) => value);
  return { essence: text.slice(0, end).trim(), isUtf8: charsets.every((charset) => utf8Names.has(unquoted(charset.trim()))) };
}

function unquoted(value: string): string {
  return /^(?:".*"|'.*')$/.test(value) ? value.slice(1, -1) : value;
}

/**
 * Throws UNSUPPORTED_MEDIA_TYPE unless the body has an accepted media type and is not compressed. The response then says what is accepted
 * (RFC 9110, section 15.5.16). For endpoints that do not inflate bodies.
 */
export function checkMedia(
  call: Pick<HttpCall, "requestHeader" | "setResponseHeader">,
  accepted: string,
  isAccepted: (mediaType: MediaType) => boolean,
): void {
  const contentType = call.requestHeader("content-type") ?? "";
  const mediaType = contentType === accepted ? undefined : parseMediaType(contentType);
  if (mediaType !== undefined && !isAccepted(mediaType)) {
    call.setResponseHeader("accept", accepted);
    const what = mediaType.isUtf8 ? accepted : `${accepted} in UTF-8`;
    throw new Failure("UNSUPPORTED_MEDIA_TYPE", { message: `the request body must be ${what}` });
  }
  const coding = call.requestHeader("content-encoding")?.trim().toLowerCase();
  if (coding !== undefined && coding !== "" && coding !== "identity") {
    call.setResponseHeader("accept-encoding", "identity");
    throw new Failure("UNSUPPORTED_MEDIA_TYPE", { message: "the request body must not have a content-encoding" });
  }
}
