import type { Message } from "@bufbuild/protobuf";
import { HttpCall } from "../http/http-call.ts";
import type { HttpExchange } from "../http/http-exchange.ts";
import { answerCall } from "./answer-call.ts";
import type { Codec } from "./codec.ts";
import { writeConnectAnswer } from "./connect-answer.ts";
import { readQueryMessage } from "./get-request.ts";
import type { LaneOptions, RpcRoute } from "./lane.ts";
import { parseConnectTimeout } from "./timeout.ts";

/** A Connect unary call by GET, start to end: its message is in the query. */
export function serveConnectGet(route: RpcRoute, codec: Codec, query: string, exchange: HttpExchange, options: LaneOptions): void {
  const { head, sink } = exchange;
  const { method, maxBytes } = route;
  const { json, bodies } = options;
  const call = new HttpCall(route.countsAs ?? method, codec.protocol, head, sink, options.trustedProxies);
  // Caches may store the response of a GET without directives. Methods whose response may be stored set their own.
  call.setResponseHeader("cache-control", "no-store");
  const steps = {
    timeoutMs: () => parseConnectTimeout(call.requestHeader("connect-timeout-ms")),
    read: () => readQueryMessage(query, method.input, { binary: codec.binary, maxBytes, json, lease: call.openBody(bodies) }),
    encode: (answer: Message) => options.encode(method.output, answer, codec),
  };
  answerCall({ call, route, steps, exchange }, options, (outcome) => writeConnectAnswer(exchange, call, codec, outcome, options));
}
