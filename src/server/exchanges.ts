import { constants } from "node:http2";
import type { HttpRequest, HttpResponse } from "../http/message.ts";
import type { ListenerLimits } from "./limits.ts";

/** The requests that are being answered, with the time-outs that Node does not have. */
export interface Exchanges {
  /** Takes an exchange in until its response is closed. */
  add(response: HttpResponse): void;
  /** Looks at the time-outs; to be called every `checkIntervalMs`. */
  check(): void;
  /** The HTTP/1.1 connections in use close after the answer that is under way. */
  drain(): void;
  /** Exchanges that are not over. */
  count(): number;
  /** Whether a response on this socket has begun, so that nothing else can be said on it. */
  hasBegun(socket: unknown): boolean;
}

/**
 * Time is counted in checks, so that a request costs no look at the clock. Two things end an exchange: an HTTP/2 request that is not
 * complete in time (for HTTP/1.1 Node sees to it), and a complete response that the client does not read.
 */
export function createExchanges(limits: ListenerLimits): Exchanges {
  const startedAt = new Map<HttpResponse, number>();
  const endedAt = new Map<HttpResponse, number>();
  let now = 0;

  function closed(this: HttpResponse): void {
    startedAt.delete(this);
    endedAt.delete(this);
  }

  const isOver = (since: number, timeoutMs: number): boolean => (now - since) * limits.checkIntervalMs >= timeoutMs;

  return {
    add(response) {
      startedAt.set(response, now);
      response.on("close", closed);
      // Writing to a response whose client is gone emits an error, and one without a listener ends the process.
      response.on("error", ignore);
    },
    check() {
      now += 1;
      for (const [response, started] of startedAt) {
        if (isWritten(response)) {
          const ended = endedAt.get(response);
          if (ended === undefined) endedAt.set(response, now);
          else if (isOver(ended, limits.responseTimeoutMs)) abort(response);
        } else if (isOver(started, limits.requestTimeoutMs) && !isReceived(response.req)) {
          abort(response);
        }
      }
    },
    drain() {
      for (const response of startedAt.keys()) {
        if (!("stream" in response) && !response.headersSent) response.setHeader("connection", "close");
      }
    },
    count: () => startedAt.size,
    hasBegun(socket) {
      for (const response of startedAt.keys()) {
        if (!("stream" in response) && response.socket === socket && response.headersSent) return true;
      }
      return false;
    },
  };
}

/** Whoever reads or writes an HTTP/2 stream itself does not show on the request and response that Node makes beside it. */
function isReceived(request: HttpRequest): boolean {
  return !("stream" in request) || request.complete || request.stream.endAfterHeaders || request.stream.readableEnded;
}

function isWritten(response: HttpResponse): boolean {
  return response.writableEnded || ("stream" in response && response.stream?.writableEnded);
}

function abort(response: HttpResponse): void {
  if ("stream" in response) response.stream.close(constants.NGHTTP2_CANCEL);
  else response.destroy();
}

function ignore(): void {}
