import { type ConnectRouter, createConnectRouter } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import { type HttpRequest, type HttpResponse, headerOf } from "../http/message.ts";
import { codecOf } from "./codec.ts";
import { giveUp } from "./give-up.ts";
import type { LaneOptions } from "./lane.ts";
import { refuseContentType, refuseHttp1, refuseMethod } from "./refusal.ts";
import { serveStream } from "./serve-stream.ts";
import { answerStreams, refuseFailed } from "./stream-exchange.ts";

/** Registers methods with streams on Connect's router. */
export type RegisterStreams = (router: ConnectRouter) => void;

export interface StreamAdapterOptions extends LaneOptions {
  readonly streams: readonly RegisterStreams[];
  readonly maxStreamMessageBytes: number;
  readonly shutdownSignal: AbortSignal;
}

export interface StreamAdapter {
  readonly serviceNames: readonly string[];
  has(path: string): boolean;
  /** Answers a request to a path that it has. */
  serve(path: string, request: HttpRequest, response: HttpResponse): void;
}

/**
 * Methods with streams, over Connect, gRPC and gRPC-Web, by Connect's own handlers. Headers (compression, time-outs) are judged by the
 * code that the lanes use, so that both refuse the same in the same words.
 */
export function createStreamAdapter(options: StreamAdapterOptions): StreamAdapter {
  const { streams, registry, maxStreamMessageBytes, shutdownSignal, reportError } = options;
  const router = createConnectRouter({
    acceptCompression: [compressionGzip, compressionBrotli],
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
