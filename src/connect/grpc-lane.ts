import type { Message } from "@bufbuild/protobuf";
import { Failure } from "../error/failure.ts";
import { HttpCall } from "../http/http-call.ts";
import { type HttpExchange, writeHeaders, writeWithTrailers } from "../http/http-exchange.ts";
import { answerCall } from "./answer-call.ts";
import type { Codec } from "./codec.ts";
import { grpcErrorTrailers } from "./error-encoding.ts";
import { type LaneOptions, type RpcRoute, requestEncoding } from "./lane.ts";
import { readRequestMessage } from "./read-request.ts";
import { parseGrpcTimeout } from "./timeout.ts";

const okTrailers = { "grpc-status": "0" };

/** A gRPC unary call, start to end. The answer is not compressed. */
export function serveGrpc(route: RpcRoute, codec: Codec, exchange: HttpExchange, options: LaneOptions): void {
  const { head, source, sink } = exchange;
  const { method, maxBytes } = route;
  const { json, bodies, statusOf } = options;
  const call = new HttpCall(route.countsAs ?? method, codec.protocol, head, sink, options.trustedProxies);
  const steps = {
    timeoutMs: () => parseGrpcTimeout(call.requestHeader("grpc-timeout")),
    read: () => {
      const encoding = requestEncoding(call, "grpc-encoding", "grpc-accept-encoding");
      return readRequestMessage(head, source, method.input, { codec, encoding, maxBytes, json, lease: call.openBody(bodies) });
    },
    encode: (answer: Message) => options.encode(method.output, answer, codec),
  };
  answerCall({ call, route, steps, exchange }, options, (outcome) => {
    const { responseHeaders, responseTrailers } = call;
    responseHeaders["content-type"] = codec.contentType;
    if (outcome instanceof Failure) {
      // Trailers-Only: one frame, and clients find the call's headers in the error's metadata.
      writeHeaders(exchange, 200, { ...responseHeaders, ...responseTrailers, ...grpcErrorTrailers(statusOf(outcome, call.requestId)) });
    } else {
      const trailers = responseTrailers === undefined ? okTrailers : { ...responseTrailers, ...okTrailers };
      writeWithTrailers(exchange, responseHeaders, outcome, trailers);
    }
  });
}
