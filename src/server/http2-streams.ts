import type { IncomingHttpHeaders } from "node:http";
import type { Http2Server, ServerHttp2Stream } from "node:http2";
import type { StreamHandler } from "../http/message.ts";

type StreamListener = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, rawHeaders: string[]) => void;

/**
 * Offers each stream to `take` first; streams that it does not take become a request and a response. Call it on a server that already
 * listens for requests: only then has Node added its compatibility layer.
 */
export function takeStreams(server: Http2Server, take: StreamHandler): void {
  const [makeRequest] = server.listeners("stream") as [StreamListener];
  server.off("stream", makeRequest);
  const listener: StreamListener = (stream, headers, flags, rawHeaders) => {
    if (!take(stream, headers, rawHeaders)) makeRequest.call(server, stream, headers, flags, rawHeaders);
  };
  server.on("stream", listener);
}
