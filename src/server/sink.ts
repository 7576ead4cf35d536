import type { ServerResponse } from "node:http";
import { constants, type ServerHttp2Stream } from "node:http2";
import type { Writable } from "node:stream";

/** The target of a response. */
export type Sink = ServerResponse | ServerHttp2Stream;

export function isStream(sink: Writable): sink is ServerHttp2Stream {
  return "endAfterHeaders" in sink;
}

/** Ends a response early. On HTTP/1.1 this ends its connection too. */
export function abort(sink: Writable): void {
  // A stream that the client reset without an error waits for a reader of its request, and `close` does nothing to it.
  if (isStream(sink) && !sink.closed) sink.close(constants.NGHTTP2_CANCEL);
  else sink.destroy();
}
