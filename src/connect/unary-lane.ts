import type { Message } from "@bufbuild/protobuf";
import type { Failure } from "../error/failure.ts";
import { HttpCall } from "../http/http-call.ts";
import type { HttpExchange } from "../http/http-exchange.ts";
import { startCall } from "../http/run-call.ts";
import type { Codec } from "./codec.ts";
import { acceptedEncodings, type Encoding, encodingOf } from "./compression.ts";
import { discardRest } from "./discard-rest.ts";
import type { GetQuery } from "./get-request.ts";
import { giveUp } from "./give-up.ts";
import type { LaneOptions, RpcRoute } from "./lane.ts";
import { readRequestMessage } from "./read-request.ts";

/** The request of a unary call. */
export interface UnaryRequest {
  readonly route: RpcRoute;
  readonly codec: Codec;
  readonly exchange: HttpExchange;
  /** The query of a GET, which holds the message. */
  readonly query: GetQuery;
}

/** The parts of a unary call that differ between protocols. */
export interface UnaryProtocol {
  timeoutMs(call: HttpCall): number | undefined;
  read(call: HttpCall, request: UnaryRequest, options: LaneOptions): Promise<Message>;
  /** Writes the encoded response or the failure. It is not compressed. */
  write(call: HttpCall, request: UnaryRequest, outcome: Buffer | Failure, options: LaneOptions): void;
}

/** Serves a unary call, start to end. */
export function serveUnaryCall(protocol: UnaryProtocol, request: UnaryRequest, options: LaneOptions): void {
  const { route, codec, exchange } = request;
  const { head, source, sink } = exchange;
  const { reportError } = options;
  const call = new HttpCall(route.countsAs ?? route.method, codec.protocol, head, sink, options.trustedProxies);
  const steps = {
    timeoutMs: () => protocol.timeoutMs(call),
    read: () => protocol.read(call, request, options),
    encode: (answer: Message) => options.encode(route.method.output, answer, codec),
  };
  startCall(call, route, steps, reportError, (outcome) => {
    if (call.isClosed) return discardRest(source);
    call.setAnswered();
    try {
      protocol.write(call, request, outcome, options);
      discardRest(source);
    } catch (error) {
      giveUp(sink, error, reportError);
    }
  });
}

/** The headers of a protocol that name the encoding of the message, and the encodings that are accepted. */
export interface EncodingHeaders {
  readonly encoding: string;
  readonly accepted: string;
}

/** Reads the message of a POST. */
export function readPost(call: HttpCall, request: UnaryRequest, options: LaneOptions, headers: EncodingHeaders): Promise<Message> {
  const { route, codec, exchange } = request;
  const { method, maxBytes } = route;
  const encoding = requestEncoding(call, headers);
  const readOptions = { codec, encoding, maxBytes, json: options.json, lease: call.openBody(options.bodies) };
  return readRequestMessage(exchange.head, exchange.source, method.input, readOptions);
}

/** Throws UNIMPLEMENTED for an unknown encoding. The response then lists the known ones. */
function requestEncoding(call: HttpCall, { encoding, accepted }: EncodingHeaders): Encoding | undefined {
  const name = call.requestHeader(encoding);
  if (name === undefined) return undefined;
  try {
    return encodingOf(name);
  } catch (error) {
    call.setResponseHeader(accepted, acceptedEncodings);
    throw error;
  }
}
