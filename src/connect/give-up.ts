import { constants, type ServerHttp2Stream } from "node:http2";
import type { HttpResponse } from "../http/message.ts";
import type { ErrorReporter } from "../http/run-call.ts";

/** Ends an answer that could not be written. A caller that disconnected is not an error; anything else is our fault and is reported. */
export function giveUp(response: HttpResponse | ServerHttp2Stream, error: unknown, report: ErrorReporter): void {
  const sink = "stream" in response ? response.stream : response;
  if (sink.destroyed || sink.closed) return;
  report(error);
  if ("endAfterHeaders" in sink) sink.close(constants.NGHTTP2_INTERNAL_ERROR);
  else sink.destroy();
}
