import { pathOf } from "../../call/methods.ts";
import { type HttpRequest, type HttpResponse, headerOf } from "../../http/message.ts";
import { type Codec, codecOf } from "../codec.ts";
import { giveUp } from "../give-up.ts";
import { needsHttp2, refuseContentType, refuseMethod, refuseVersion } from "../refusal.ts";
import type { ServeStream, StreamAdapterOptions } from "./stream-options.ts";

export interface StreamAdapter {
  readonly serviceNames: readonly string[];
  has(path: string): boolean;
  /** Answers a request, if its path is registered here. */
  serve(path: string, request: HttpRequest, response: HttpResponse): void;
}

/**
 * Methods with streams, over Connect, gRPC and gRPC-Web, by Connect's own handlers. Headers (compression, time-outs) are checked by the
 * code that the lanes use, so that both refuse with the same text. The first call loads Connect, because it is an eighth of a start
 * (bench/start.ts) and few processes are ever asked for these methods.
 */
export function createStreamAdapter(options: StreamAdapterOptions): StreamAdapter {
  const registered = options.streams.flatMap(({ methods }) => methods);
  const methods = new Map(registered.map((method) => [pathOf(method), method]));
  let loading: Promise<ServeStream> | undefined;
  let serveStream: ServeStream | undefined;

  const load = async (): Promise<ServeStream> => {
    const { createStreamHandlers } = await import("./stream-handlers.ts");
    serveStream = await createStreamHandlers(options);
    return serveStream;
  };

  const loadAndServe: ServeStream = async (path, codec, request, response) => {
    // After a failure, the next call tries again.
    loading ??= load().catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    const serveLoaded = await loading;
    const sink = "stream" in response ? response.stream : response;
    if (!sink.destroyed) await serveLoaded(path, codec, request, response);
  };

  const serve = (path: string, codec: Codec, request: HttpRequest, response: HttpResponse): void => {
    (serveStream ?? loadAndServe)(path, codec, request, response).catch((error) => giveUp(response, error, options.reportError));
  };

  return {
    serviceNames: registered.map(({ parent }) => parent.typeName),
    has: (path) => methods.has(path),
    serve(path, request, response) {
      const codec = codecOf(headerOf(request, "content-type"));
      const isBidi = methods.get(path)?.methodKind === "bidi_streaming";
      if (request.method !== "POST") refuseMethod(request, response, "POST", options);
      else if (codec === undefined || !codec.enveloped) refuseContentType(request, response, options);
      else if (isBidi && request.httpVersionMajor === 1) refuseVersion(request, response, needsHttp2, options);
      else serve(path, codec, request, response);
    },
  };
}
