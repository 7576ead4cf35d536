import type { OutgoingHttpHeaders } from "node:http";
import { Failure } from "../error/failure.ts";
import type { HttpCall } from "../http/http-call.ts";
import { writeAnswer } from "../http/http-exchange.ts";
import { connectErrorBody, connectHttpStatus } from "./error-encoding.ts";
import { readQueryMessage } from "./get-request.ts";
import type { LaneOptions } from "./lane.ts";
import { checkProtocolVersion } from "./protocol-version.ts";
import { parseConnectTimeout } from "./timeout.ts";
import { readPost, type UnaryProtocol, type UnaryRequest } from "./unary-lane.ts";

const encodingHeaders = { encoding: "content-encoding", accepted: "accept-encoding" };

/** Connect's unary calls by POST. */
export const connectUnary: UnaryProtocol = {
  timeoutMs: timeoutOf,
  read(call, request, options) {
    checkProtocolVersion(call.requestHeader("connect-protocol-version"));
    return readPost(call, request, options, encodingHeaders);
  },
  write,
};

/** Connect's unary calls by GET: the message is in the query. */
export const connectGet: UnaryProtocol = {
  timeoutMs: timeoutOf,
  read(call, { route, codec, query }, { json, bodies }) {
    const { method, maxBytes } = route;
    return readQueryMessage(query, method.input, { binary: codec.binary, maxBytes, json, lease: call.openBody(bodies) });
  },
  write(call, request, outcome, options) {
    // Caches may store the response of a GET without directives. Methods whose response may be stored set their own.
    call.responseHeaders["cache-control"] ??= "no-store";
    write(call, request, outcome, options);
  },
};

function timeoutOf(call: HttpCall): number | undefined {
  return parseConnectTimeout(call.requestHeader("connect-timeout-ms"));
}

/** Trailers become headers with a prefix. */
function write(call: HttpCall, { codec, exchange }: UnaryRequest, outcome: Buffer | Failure, { statusOf, answers }: LaneOptions): void {
  const headers: OutgoingHttpHeaders = call.responseHeaders;
  for (const [name, value] of Object.entries(call.responseTrailers ?? {})) headers[`trailer-${name}`] = value;
  if (outcome instanceof Failure) {
    const status = statusOf(outcome, call.requestId);
    headers["content-type"] = "application/json";
    writeAnswer(exchange, connectHttpStatus(status.code), headers, connectErrorBody(status), answers);
  } else {
    headers["content-type"] = codec.contentType;
    writeAnswer(exchange, 200, headers, outcome, answers);
  }
}
