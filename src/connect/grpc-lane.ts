import { Failure } from "../error/failure.ts";
import type { HttpCall } from "../http/http-call.ts";
import { writeHeaders, writeWithTrailers } from "../http/http-exchange.ts";
import { grpcErrorTrailers, okTrailers } from "./error-encoding.ts";
import type { LaneOptions } from "./lane.ts";
import { parseGrpcTimeout } from "./timeout.ts";
import { readPost, type UnaryProtocol, type UnaryRequest } from "./unary-lane.ts";

const encodingHeaders = { encoding: "grpc-encoding", accepted: "grpc-accept-encoding" };

/** Reads requests of gRPC and of gRPC-Web. */
export const grpcRequests: Pick<UnaryProtocol, "timeoutMs" | "read"> = {
  timeoutMs: (call) => parseGrpcTimeout(call.requestHeader("grpc-timeout")),
  read: (call, request, options) => readPost(call, request, options, encodingHeaders),
};

export const grpcUnary: UnaryProtocol = { ...grpcRequests, write };

function write(call: HttpCall, { codec, exchange }: UnaryRequest, outcome: Buffer | Failure, { statusOf }: LaneOptions): void {
  const { responseHeaders, responseTrailers } = call;
  responseHeaders["content-type"] = codec.contentType;
  if (outcome instanceof Failure) {
    // Trailers-Only: one frame, and clients find the call's headers in the error's metadata.
    writeHeaders(exchange, 200, { ...responseHeaders, ...responseTrailers, ...grpcErrorTrailers(statusOf(outcome, call.requestId)) });
  } else {
    const trailers = responseTrailers === undefined ? okTrailers : { ...responseTrailers, ...okTrailers };
    writeWithTrailers(exchange, responseHeaders, outcome, trailers);
  }
}
