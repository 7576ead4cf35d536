import type { IncomingHttpHeaders } from "node:http";
import type { Http2Server, ServerHttp2Stream } from "node:http2";
import type { StreamHandler } from "../http/message.ts";

type StreamListener = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, rawHeaders: string[]) => void;

/**
 * Lets `take` have each stream first; what it does not take becomes a request and a response. To be called on a server that listens for
 * requests already: that is when Node puts its compatibility layer there.
 */
export function takeStreams(server: Http2Server, take: StreamHandler): void {
  const [makeRequest] = server.listeners("stream") as [StreamListener];
  server.off("stream", makeRequest);
  const listener: StreamListener = (stream, headers, flags, rawHeaders) => {
    if (!take(stream, headers, rawHeaders)) makeRequest.call(server, stream, headers, flags, rawHeaders);
  };
  server.on("stream", listener);
}
