import { createConnectRouter } from "@connectrpc/connect";
import type { Compression, UniversalHandler } from "@connectrpc/connect/protocol";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import type { BodyBudget } from "../../http/body-budget.ts";
import { type Encoding, inflate } from "../compression.ts";
import { serveStream } from "./serve-stream.ts";
import { answerStreams, refuseFailed } from "./stream-exchange.ts";
import type { ServeStream, StreamAdapterOptions } from "./stream-options.ts";
import { createStreamPlaces } from "./stream-places.ts";

/** Connect's own handlers for the registered methods. */
export async function createStreamHandlers(options: StreamAdapterOptions): Promise<ServeStream> {
  const { streams, registry, bodies, maxStreamMessageBytes, maxStreamsPerNetwork = 5, shutdownSignal, reportError } = options;
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
  for (const { register } of streams) await register(router);
  const handlers = new Map<string, UniversalHandler>(router.handlers.map((handler) => [handler.requestPath, handler]));
  const takePlace = createStreamPlaces(maxStreamsPerNetwork, options.trustedProxies);
  const served = { ...options, takePlace };
  return (path, codec, request, response) => serveStream(handlers.get(path) as UniversalHandler, codec, request, response, served);
}

/** Inflates the messages of streams within our own bounds. */
function inflateBy(encoding: Encoding, bodies: BodyBudget): Compression["decompress"] {
  return async (bytes, maxBytes) => {
    const lease = bodies.open(false);
    try {
      return (await inflate(bytes, encoding, maxBytes, lease)) as Uint8Array<ArrayBuffer>;
    } finally {
      lease.release();
    }
  };
}
