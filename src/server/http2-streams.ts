import type { IncomingHttpHeaders } from "node:http";
import type { Http2Server, ServerHttp2Stream } from "node:http2";
import { isGone } from "../http/http-exchange.ts";
import type { StreamHandler } from "../http/message.ts";

type StreamListener = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, rawHeaders: string[]) => void;

/** A stream that waits to be handled, with the other arguments of its event. */
interface Waiting {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly flags: number;
  readonly rawHeaders: string[];
}

/**
 * Offers each stream to `take`; streams that it does not take become a request and a response. Call it on a server that already listens for
 * requests: only then has Node added its compatibility layer.
 *
 * Streams are taken together, once all sockets are read that have something in this turn of the event loop. Each step of a call then runs
 * for all of them before the next one does, from caches of the processor that already hold its code, and their responses leave in fewer
 * writes. This saves a third of a call (bench/verify.ts). `enter` is called at once. If it returns false, the stream is not taken.
 */
export function takeStreams(server: Http2Server, take: StreamHandler, enter: (stream: ServerHttp2Stream) => boolean = () => true): void {
  const [makeRequest] = server.listeners("stream") as [StreamListener];
  server.off("stream", makeRequest);

  let waiting: Waiting[] = [];
  const takeAll = (): void => {
    const all = waiting;
    waiting = [];
    for (const { stream, headers, flags, rawHeaders } of all) {
      // The client reset it. The `close` event may have passed, and nobody is left to answer.
      if (isGone(stream)) continue;
      if (!take(stream, headers, rawHeaders)) makeRequest.call(server, stream, headers, flags, rawHeaders);
      // A body without bytes ends although nobody reads it. Those who listen now have missed its end.
      if (stream.readableEnded) stream.emit("end");
    }
  };
  const listener: StreamListener = (stream, headers, flags, rawHeaders) => {
    if (!enter(stream)) return;
    if (waiting.push({ stream, headers, flags, rawHeaders }) === 1) setImmediate(takeAll);
  };
  server.on("stream", listener);
}
