import type { OutgoingHttpHeaders } from "node:http";
import { Failure } from "../error/failure.ts";
import type { HttpCall } from "../http/http-call.ts";
import { type HttpExchange, writeAnswer } from "../http/http-exchange.ts";
import type { Codec } from "./codec.ts";
import { connectErrorBody, connectHttpStatus } from "./error-encoding.ts";
import type { LaneOptions } from "./lane.ts";

/** Writes the result of a Connect unary call. Trailers become headers with a prefix. */
export function writeConnectAnswer(
  exchange: HttpExchange,
  call: HttpCall,
  codec: Codec,
  outcome: Uint8Array | Failure,
  { statusOf, answers }: LaneOptions,
): void {
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
