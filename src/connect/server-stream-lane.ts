import type { IncomingHttpHeaders } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import { pathOf } from "../call/methods.ts";
import type { MessageSink, ServerStreamRoute } from "../call/streams.ts";
import { Failure } from "../error/failure.ts";
import { requestIdOf } from "../http/http-call.ts";
import type { StreamHandler } from "../http/message.ts";
import { codecOf } from "./codec.ts";
import { decodeShort } from "./decode.ts";
import { envelopeHeaderBytes, readSingleEnvelope, writeEnvelope } from "./envelope.ts";
import { grpcErrorTrailers, okTrailers } from "./error-encoding.ts";
import { giveUp } from "./give-up.ts";
import type { LaneOptions } from "./lane.ts";
import { readSmallBody } from "./read-small.ts";

export type ServerStreamLaneOptions = Pick<LaneOptions, "json" | "statusOf" | "reportError">;

/** Bytes that may wait for a client to read them. */
const maxUnreadBytes = 4096;

const responseHeaders = { "content-type": "application/grpc+proto" };

/**
 * Serves server streams of gRPC over HTTP/2. Connect's adapter needs about 40 KB per open stream; this lane adds almost nothing to what
 * Node needs. Streams with a deadline or a compressed request are left to the adapter.
 */
export function createServerStreamLane(routes: readonly ServerStreamRoute[], options: ServerStreamLaneOptions): StreamHandler {
  const routesByPath = new Map(routes.map((route) => [pathOf(route.method), route]));
  return (stream, headers) => {
    const route = headers[":method"] === "POST" ? routesByPath.get(headers[":path"] as string) : undefined;
    if (route === undefined || !isPlainGrpc(headers)) return false;
    serve(route, stream, headers, options).catch((error) => giveUp(stream, error, options.reportError));
    return true;
  };
}

function isPlainGrpc(headers: IncomingHttpHeaders): boolean {
  const requestCodec = codecOf(headers["content-type"]);
  const encoding = headers["grpc-encoding"];
  const isCompressed = encoding !== undefined && encoding !== "identity";
  return requestCodec?.protocol === "grpc" && requestCodec.binary && !isCompressed && headers["grpc-timeout"] === undefined;
}

async function serve(
  route: ServerStreamRoute,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  { json, statusOf, reportError }: ServerStreamLaneOptions,
): Promise<void> {
  const sink = new StreamSink(stream, requestIdOf({ headers }), statusOf);
  try {
    const body = await readSmallBody(stream, envelopeHeaderBytes + route.maxRequestBytes);
    const { compressed, data } = readSingleEnvelope(body, route.maxRequestBytes);
    if (compressed) throw new Failure("UNDECLARED_COMPRESSION");
    const request = decodeShort(route.method.input, data, true, json, data.length);
    if (stream.destroyed) return;
    route.open(request, sink);
    stream.on("close", () => route.close(sink));
  } catch (error) {
    if (!(error instanceof Failure)) reportError(error);
    sink.end(error instanceof Failure ? error : new Failure("INTERNAL"));
  }
}

class StreamSink implements MessageSink {
  readonly session: object;
  readonly #stream: ServerHttp2Stream;
  readonly #requestId: string;
  readonly #statusOf: LaneOptions["statusOf"];

  constructor(stream: ServerHttp2Stream, requestId: string, statusOf: LaneOptions["statusOf"]) {
    this.session = stream.session as object;
    this.#stream = stream;
    this.#requestId = requestId;
    this.#statusOf = statusOf;
  }

  send(message: Uint8Array): void {
    const stream = this.#stream;
    if (stream.closed || stream.destroyed) return;
    if (!stream.headersSent) stream.respond({ ...responseHeaders, "x-request-id": this.#requestId }, { waitForTrailers: true });
    if (stream.writableLength > maxUnreadBytes) stream.close();
    else stream.write(writeEnvelope(message));
  }

  end(failure?: Failure): void {
    const stream = this.#stream;
    if (stream.closed || stream.destroyed || stream.writableEnded) return;
    const trailers = failure === undefined ? okTrailers : grpcErrorTrailers(this.#statusOf(failure, this.#requestId));
    if (stream.headersSent) {
      stream.once("wantTrailers", () => stream.sendTrailers(trailers));
      stream.end();
    } else {
      stream.respond({ ...responseHeaders, "x-request-id": this.#requestId, ...trailers }, { endStream: true });
    }
  }
}
