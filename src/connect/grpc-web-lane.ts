import type { OutgoingHttpHeaders } from "node:http";
import type { Message } from "@bufbuild/protobuf";
import { Failure } from "../error/failure.ts";
import { HttpCall } from "../http/http-call.ts";
import { type HttpExchange, writeAnswer } from "../http/http-exchange.ts";
import { answerCall } from "./answer-call.ts";
import type { Codec } from "./codec.ts";
import { grpcErrorTrailers } from "./error-encoding.ts";
import { trailerFrame, webText } from "./grpc-web.ts";
import { type LaneOptions, type RpcRoute, requestEncoding } from "./lane.ts";
import { readRequestMessage } from "./read-request.ts";
import { parseGrpcTimeout } from "./timeout.ts";

const okTrailers = { "grpc-status": "0" };

/** A gRPC-Web unary call, start to end. The answer is not compressed. */
export function serveGrpcWeb(route: RpcRoute, codec: Codec, exchange: HttpExchange, options: LaneOptions): void {
  const { head, source, sink } = exchange;
  const { method, maxBytes } = route;
  const { json, bodies, statusOf, answers } = options;
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
  });
}
