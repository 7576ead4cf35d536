import type { OutgoingHttpHeaders } from "node:http";
import { Failure } from "../error/failure.ts";
import type { HttpCall } from "../http/http-call.ts";
import { writeAnswer } from "../http/http-exchange.ts";
import { grpcErrorTrailers, okTrailers } from "./error-encoding.ts";
import { grpcRequests } from "./grpc-lane.ts";
import { trailerFrame, webText } from "./grpc-web.ts";
import type { LaneOptions } from "./lane.ts";
import type { UnaryProtocol, UnaryRequest } from "./unary-lane.ts";

export const grpcWebUnary: UnaryProtocol = { ...grpcRequests, write };

function write(call: HttpCall, { codec, exchange }: UnaryRequest, outcome: Buffer | Failure, { statusOf, answers }: LaneOptions): void {
  const { responseHeaders, responseTrailers } = call;
  let headers: OutgoingHttpHeaders = responseHeaders;
  let body: Buffer;
  if (outcome instanceof Failure) {
    // Like Connect, and as clients expect: the call's headers are part of the error's metadata only.
    body = trailerFrame({ ...responseHeaders, ...responseTrailers, ...grpcErrorTrailers(statusOf(outcome, call.requestId)) });
    headers = {};
  } else {
    body = Buffer.concat([outcome, trailerFrame({ ...responseTrailers, ...okTrailers })]);
  }
  headers["content-type"] = codec.contentType;
  writeAnswer(exchange, 200, headers, codec.text ? webText(body) : body, answers);
}
