import type { Message } from "@bufbuild/protobuf";
import { HttpCall } from "../http/http-call.ts";
import type { HttpExchange } from "../http/http-exchange.ts";
import { answerCall } from "./answer-call.ts";
import type { Codec } from "./codec.ts";
import { writeConnectAnswer } from "./connect-answer.ts";
import { type LaneOptions, type RpcRoute, requestEncoding } from "./lane.ts";
import { checkProtocolVersion } from "./protocol-version.ts";
import { readRequestMessage } from "./read-request.ts";
import { parseConnectTimeout } from "./timeout.ts";

/** A Connect unary call by POST, start to end. The answer is not compressed. */
export function serveConnect(route: RpcRoute, codec: Codec, exchange: HttpExchange, options: LaneOptions): void {
  const { head, source, sink } = exchange;
  const { method, maxBytes } = route;
  const { json, bodies } = options;
  const call = new HttpCall(route.countsAs ?? method, codec.protocol, head, sink, options.trustedProxies);
  const steps = {
    timeoutMs: () => parseConnectTimeout(call.requestHeader("connect-timeout-ms")),
    read: () => {
      checkProtocolVersion(call.requestHeader("connect-protocol-version"));
      const encoding = requestEncoding(call, "content-encoding", "accept-encoding");
      return readRequestMessage(head, source, method.input, { codec, encoding, maxBytes, json, lease: call.openBody(bodies) });
    },
    encode: (answer: Message) => options.encode(method.output, answer, codec),
  };
  answerCall({ call, route, steps, exchange }, options, (outcome) => writeConnectAnswer(exchange, call, codec, outcome, options));
}
