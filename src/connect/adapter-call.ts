import type { Readable, Writable } from "node:stream";
import type { DescMethod, DescMethodUnary, Message } from "@bufbuild/protobuf";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { universalResponseToNodeResponse } from "@connectrpc/connect-node";
import { isUnary, type MethodTable } from "../call/methods.ts";
import { Failure } from "../error/failure.ts";
import { HttpCall, requestIdOf } from "../http/http-call.ts";
import type { HttpRequest, HttpResponse } from "../http/message.ts";
import type { Codec } from "./codec.ts";
import { type Encoding, encodingOf } from "./compression.ts";
import { discardRest } from "./discard-rest.ts";
import type { Exchange } from "./exchange.ts";
import { failureOf } from "./failures.ts";
import { readQueryMessage } from "./get-request.ts";
import type { LaneOptions } from "./lane.ts";
import { readRequestMessage } from "./read-request.ts";
import { readEnvelopes } from "./request-stream.ts";
import { parseConnectTimeout, parseGrpcTimeout } from "./timeout.ts";
import { type StreamBody, universalRequest } from "./universal-request.ts";

export interface AdapterCallOptions extends LaneOptions {
  /** At least one. Calls of other methods (health, reflection) are admitted as they are. */
  readonly methods: MethodTable;
  /** Bound of a request message of the method, before and after inflating. */
  readonly maxBytes: (method: DescMethod) => number;
}

export interface AdapterRequest {
  readonly path: string;
  /** Else the method does not exist, and the handler only stands in for it. */
  readonly isKnown: boolean;
  readonly codec: Codec;
  /** The query of a Connect GET. */
  readonly parameters: URLSearchParams | undefined;
  readonly request: HttpRequest;
  readonly response: HttpResponse;
}

/** Answers one call by Connect's handler. Rejects where writing fails. */
export async function serveByConnect(handler: UniversalHandler, incoming: AdapterRequest, options: AdapterCallOptions): Promise<void> {
  const { request, response, codec, path } = incoming;
  const sink: Writable = "stream" in response ? response.stream : response;
  const isStream = !isUnary(handler.method);
  // Streams are read through Node's compatibility layer, because the listener looks there whether a request is complete.
  const source: Readable = "stream" in request && !isStream ? request.stream : request;
  sink.once("finish", () => discardRest(source));
  let exchange: Exchange;
  let stream: StreamBody | undefined;
  if (!incoming.isKnown) {
    exchange = exchangeOf(incoming, { failure: new Failure("UNIMPLEMENTED") });
  } else if (isUnary(handler.method)) {
    exchange = await readUnary(handler.method, incoming, source, sink, options);
  } else {
    const headers = readHeaders(incoming);
    exchange = exchangeOf(incoming, headers);
    const messages = readEnvelopes(source, options.maxBytes(handler.method), options.bodies.open(false));
    stream = { source: messages, encoding: headers.encoding, timeoutMs: headers.timeoutMs };
  }
  // A body that nobody reads would wait in memory until the answer is read.
  if (exchange.failure !== undefined) discardRest(source);
  if (sink.destroyed) return;
  const answer = await handler(universalRequest(request, path, codec, exchange, sink, stream));
  await universalResponseToNodeResponse(answer, response);
}

function exchangeOf({ request, codec }: AdapterRequest, { failure, acceptHeader }: Pick<Exchange, "failure" | "acceptHeader">): Exchange {
  const requestId = requestIdOf(request);
  return { requestId, responseHeaders: { "x-request-id": requestId }, binary: codec.binary, failure, acceptHeader };
}

async function readUnary(
  method: DescMethodUnary,
  incoming: AdapterRequest,
  source: Readable,
  sink: Writable,
  { methods, admit, json, bodies, maxBytes: maxBytesOf, trustedProxies, reportError }: AdapterCallOptions,
): Promise<Exchange> {
  const { request, codec, parameters } = incoming;
  const startMs = performance.now();
  const call = new HttpCall(method, codec.protocol, request, sink, trustedProxies);
  const { requestId, responseHeaders } = call;
  const { timeoutMs, encoding, failure, acceptHeader } = readHeaders(incoming);
  const exchange = { requestId, responseHeaders, binary: codec.binary, acceptHeader };
  if (failure !== undefined) return { ...exchange, failure };
  const maxBytes = maxBytesOf(method);
  const read = (): Promise<Message> =>
    parameters === undefined
      ? readRequestMessage(request, source, method.input, { codec, encoding, maxBytes, json, lease: call.openBody(bodies) })
      : readQueryMessage(parameters, method.input, codec.binary, maxBytes, json, call.openBody(bodies));
  try {
    if (methods.has(method)) admit(call);
    const message = await call.withDeadline(timeoutMs, read);
    const remainingMs = timeoutMs === undefined ? undefined : timeoutMs - (performance.now() - startMs);
    return { ...exchange, unary: { call, message, timeoutMs: remainingMs } };
  } catch (error) {
    return { ...exchange, failure: failureOf(error, call, reportError) };
  }
}

interface ProtocolHeaders {
  readonly timeoutMs?: number | undefined;
  readonly encoding?: Encoding | undefined;
  readonly failure?: Failure;
  readonly acceptHeader?: string;
}

/** Deadline and compression, as the headers of the protocol give them. */
function readHeaders({ request, codec: { protocol, enveloped } }: AdapterRequest): ProtocolHeaders {
  const isConnect = protocol === "connect";
  const prefix = isConnect ? (enveloped ? "connect-" : "") : "grpc-";
  const header = (name: string): string | undefined => request.headers[name] as string | undefined;
  let timeoutMs: number | undefined;
  try {
    timeoutMs = isConnect ? parseConnectTimeout(header("connect-timeout-ms")) : parseGrpcTimeout(header("grpc-timeout"));
  } catch (error) {
    return { failure: error as Failure };
  }
  try {
    return { timeoutMs, encoding: encodingOf(header(isConnect ? `${prefix}content-encoding` : "grpc-encoding")) };
  } catch (error) {
    return { failure: error as Failure, acceptHeader: `${prefix}accept-encoding` };
  }
}
