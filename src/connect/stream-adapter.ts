import { type ConnectRouter, createConnectRouter } from "@connectrpc/connect";
import type { Compression, UniversalHandler } from "@connectrpc/connect/protocol";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import type { BodyBudget } from "../http/body-budget.ts";
import { type HttpRequest, type HttpResponse, headerOf } from "../http/message.ts";
import { codecOf } from "./codec.ts";
import { type Encoding, inflate } from "./compression.ts";
import { giveUp } from "./give-up.ts";
import type { LaneOptions } from "./lane.ts";
import { refuseContentType, refuseHttp1, refuseMethod } from "./refusal.ts";
import { type StreamOptions, serveStream } from "./serve-stream.ts";
import { answerStreams, refuseFailed } from "./stream-exchange.ts";

/** Registers methods with streams on Connect's router. */
export type RegisterStreams = (router: ConnectRouter) => void;

export interface StreamAdapterOptions extends LaneOptions, StreamOptions {
  readonly streams: readonly RegisterStreams[];
  readonly shutdownSignal: AbortSignal;
}

export interface StreamAdapter {
  readonly serviceNames: readonly string[];
  has(path: string): boolean;
  /** Answers a request, if its path is registered here. */
  serve(path: string, request: HttpRequest, response: HttpResponse): void;
}

/**
 * Methods with streams, over Connect, gRPC and gRPC-Web, by Connect's own handlers. Headers (compression, time-outs) are checked by the
 * code that the lanes use, so that both refuse with the same text.
 */
export function createStreamAdapter(options: StreamAdapterOptions): StreamAdapter {
  const { streams, registry, bodies, maxStreamMessageBytes, shutdownSignal, reportError } = options;
  const router = createConnectRouter({
    acceptCompression: [
      { ...compressionGzip, decompress: inflateBy("gzip", bodies) },
      { ...compressionBrotli, decompress: inflateBy("br", bodies) },
    ],
    binaryOptions: { readUnknownFields: false },
    interceptors: [answerStreams(reportError, shutdownSignal)],
    requestGate: refuseFailed,
    readMaxBytes: maxStreamMessageBytes,
    jsonOptions: { registry },
    shutdownSignal,
  });
  for (const register of streams) register(router);
  const handlers = new Map<string, UniversalHandler>(router.handlers.map((handler) => [handler.requestPath, handler]));

  return {
    serviceNames: router.handlers.map(({ service }) => service.typeName),
    has: (path) => handlers.has(path),
    serve(path, request, response) {
      const handler = handlers.get(path) as UniversalHandler;
      const codec = codecOf(headerOf(request, "content-type"));
      if (request.method !== "POST") refuseMethod(request, response, "POST", options);
      else if (codec === undefined || !codec.enveloped) refuseContentType(request, response, options);
      else if (handler.method.methodKind === "bidi_streaming" && request.httpVersionMajor === 1) refuseHttp1(request, response, options);
      else serveStream(handler, codec, request, response, options).catch((error) => giveUp(response, error, reportError));
    },
  };
}

/** Inflates the messages of streams within our own bounds. */
function inflateBy(encoding: Encoding, bodies: BodyBudget): Compression["decompress"] {
  return async (bytes, maxBytes) => (await inflate(bytes, encoding, maxBytes, bodies.open(false))) as Uint8Array<ArrayBuffer>;
}
