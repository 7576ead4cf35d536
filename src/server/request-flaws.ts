import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { isSameHost } from "../http/host.ts";
import type { ErrorAnswer } from "./error-answer.ts";

const badHost: ErrorAnswer = { httpStatus: 400, code: "INVALID_ARGUMENT", message: "the request must have exactly one valid Host header" };
const badTarget: ErrorAnswer = { httpStatus: 400, code: "INVALID_ARGUMENT", message: "the request target must have a valid host" };
const badCoding: ErrorAnswer = { httpStatus: 400, code: "INVALID_ARGUMENT", message: "the only supported Transfer-Encoding is chunked" };
const tooManyHeaders: ErrorAnswer = { httpStatus: 431, code: "RESOURCE_EXHAUSTED", message: "the request has too many headers" };
const headersTooLarge: ErrorAnswer = { httpStatus: 431, code: "RESOURCE_EXHAUSTED", message: "the request headers are too large" };
const twoHosts: ErrorAnswer = { httpStatus: 400, code: "INVALID_ARGUMENT", message: "Host and :authority must be the same" };

/** Characters allowed in host and port (RFC 3986, section 3.2.2). */
const hostPattern = /^[\w.~%!$&'()*+,;=:[\]-]*$/;

/**
 * Finds what makes an HTTP/1.1 request invalid. Reads the raw lines, because `headers` silently keeps the first of several Host lines and
 * drops lines beyond Node's own limit.
 */
export function http1Flaw(
  { rawHeaders, headers, httpVersion }: IncomingMessage,
  authority: string | undefined,
  maxHeaderCount: number,
): ErrorAnswer | undefined {
  if (rawHeaders.length > maxHeaderCount * 2) return tooManyHeaders;
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (name.length !== 4 || name.toLowerCase() !== "host") continue;
    hosts += 1;
    if (!hostPattern.test(rawHeaders[index + 1] as string)) return badHost;
  }
  if (hosts > 1 || (hosts === 0 && httpVersion !== "1.0")) return badHost;
  // A URL of HTTP has a host (RFC 9110, section 4.2.1).
  if (authority !== undefined && (authority === "" || !hostPattern.test(authority))) return badTarget;
  // Node accepts a request with a coding that it does not know. Then the end of the body is ambiguous (RFC 9112, section 6.3).
  const coding = headers["transfer-encoding"];
  return coding === undefined || /^chunked$/i.test(coding) ? undefined : badCoding;
}

/**
 * Finds what makes an HTTP/2 request invalid. A proxy may have read another one of two hosts, so they must be the same (RFC 9113, section
 * 8.3.1). Node enforces SETTINGS_MAX_HEADER_LIST_SIZE only after the client has acknowledged our SETTINGS, which it may never do.
 */
export function http2Flaw(headers: IncomingHttpHeaders, rawHeaders: readonly string[], maxHeaderBytes: number): ErrorAnswer | undefined {
  const authority = headers[":authority"] ?? headers.host;
  // Adds 32 bytes per line, as RFC 9113 does (section 6.5.2).
  let byteLength = rawHeaders.length * 16;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    const value = rawHeaders[index + 1] as string;
    byteLength += name.length + value.length;
    if (name === "host" && !isSameHost(value, String(authority))) return twoHosts;
  }
  return byteLength > maxHeaderBytes ? headersTooLarge : undefined;
}

/**
 * Node keeps the first of several Authorization lines. A proxy may have checked another one, so none of them may count: joined by a comma,
 * they are not a token. Equal lines count as one. Changes `headers`; call it once for a request.
 */
export function joinAuthorization(headers: IncomingHttpHeaders, rawHeaders: readonly string[]): void {
  const { authorization } = headers;
  if (authorization === undefined) return;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (name.length !== 13 || rawHeaders[index + 1] === authorization || name.toLowerCase() !== "authorization") continue;
    headers.authorization = `${headers.authorization}, ${rawHeaders[index + 1]}`;
  }
}
