import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { universalResponseToNodeResponse } from "@connectrpc/connect-node";
import type { Failure } from "../../error/failure.ts";
import { requestIdOf } from "../../http/http-call.ts";
import { type HttpRequest, type HttpResponse, headerOf } from "../../http/message.ts";
import type { Codec } from "../codec.ts";
import { type Encoding, encodingOf } from "../compression.ts";
import { discardRest } from "../discard-rest.ts";
import type { LaneOptions } from "../lane.ts";
import { checkProtocolVersion } from "../protocol-version.ts";
import { parseConnectTimeout, parseGrpcTimeout } from "../timeout.ts";
import { readEnvelopes } from "./request-stream.ts";
import { type StreamExchange, statusToConnect } from "./stream-exchange.ts";
import type { TakePlace } from "./stream-places.ts";
import { universalRequest } from "./universal-request.ts";
import { textResponse } from "./web-text-stream.ts";

export interface StreamOptions extends Pick<LaneOptions, "statusOf" | "bodies"> {
  /** Bound of each request message, before and after inflating. */
  readonly maxStreamMessageBytes: number;
  readonly takePlace: TakePlace;
}

/** Answers one call by Connect's handler. Rejects if writing fails. */
export async function serveStream(
  handler: UniversalHandler,
  codec: Codec,
  request: HttpRequest,
  response: HttpResponse,
  { statusOf, bodies, maxStreamMessageBytes, takePlace }: StreamOptions,
): Promise<void> {
  const sink = "stream" in response ? response.stream : response;
  sink.once("finish", () => discardRest(request));
  const { timeoutMs, encoding, failure: headerFailure, acceptHeader } = readHeaders(request, codec);
  const failure = headerFailure ?? takePlace(request, sink);
  const requestId = requestIdOf(request);
  const exchange: StreamExchange = {
    responseHeaders: { "x-request-id": requestId },
    errorOf: (reason) => statusToConnect(statusOf(reason, requestId), requestId),
    failure,
    acceptHeader,
  };
  // Read through Node's compatibility layer, because the listener checks there whether a request is complete.
  const body = readEnvelopes(request, { maxBytes: maxStreamMessageBytes, isText: codec.text, lease: bodies.open(false) });
  // A body that is not read would stay in memory until the response is read.
  if (failure !== undefined) discardRest(request);
  const universal = universalRequest(request, codec, exchange, sink, { path: handler.requestPath, encoding, timeoutMs });
  const answer = await handler({ ...universal, body });
  await universalResponseToNodeResponse(codec.text ? textResponse(answer, codec) : answer, response);
}

interface ProtocolHeaders {
  readonly timeoutMs?: number | undefined;
  readonly encoding?: Encoding | undefined;
  readonly failure?: Failure | undefined;
  readonly acceptHeader?: string;
}

/** Reads version, deadline and compression from the headers of the protocol. */
function readHeaders(request: HttpRequest, { protocol }: Codec): ProtocolHeaders {
  const prefix = protocol === "connect" ? "connect-" : "grpc-";
  let timeoutMs: number | undefined;
  try {
    if (protocol === "connect") checkProtocolVersion(headerOf(request, "connect-protocol-version"));
    timeoutMs =
      protocol === "connect"
        ? parseConnectTimeout(headerOf(request, "connect-timeout-ms"))
        : parseGrpcTimeout(headerOf(request, "grpc-timeout"));
  } catch (error) {
    return { failure: error as Failure };
  }
  try {
    const name = protocol === "connect" ? "connect-content-encoding" : "grpc-encoding";
    return { timeoutMs, encoding: encodingOf(headerOf(request, name)) };
  } catch (error) {
    return { failure: error as Failure, acceptHeader: `${prefix}accept-encoding` };
  }
}
