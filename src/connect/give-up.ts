import { constants } from "node:http2";
import type { HttpResponse } from "../http/message.ts";
import type { ErrorReporter } from "./failures.ts";

/** Ends an answer that could not be written. That a caller is gone is nobody's fault; anything else is ours and reported. */
export function giveUp(response: HttpResponse, error: unknown, report: ErrorReporter): void {
  if ("stream" in response) {
    if (response.stream.destroyed || response.stream.closed) return;
    report(error);
    response.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  } else if (!response.destroyed) {
    report(error);
    response.destroy();
  }
}
