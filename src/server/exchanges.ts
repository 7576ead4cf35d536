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

interface Exchange {
  readonly response: HttpResponse;
  readonly startedAt: number;
  /** Since when the response is complete. */
  endedAt: number | undefined;
  /** Its place in the list. */
  index: number;
}

/**
 * Time is counted in checks, so that a request costs no look at the clock. Two things end an exchange: an HTTP/2 request that is not
 * complete in time (for HTTP/1.1 Node sees to it), and a complete response that the client does not read.
 *
 * They stand in an array and not in a Map: a Map that thousands pass through leaves a chain of outgrown tables, and once the oldest is
 * promoted, the garbage collector takes all the requests that the others hold for alive, which cost 7 us a request.
 */
export function createExchanges(limits: ListenerLimits): Exchanges {
  const running: Exchange[] = [];
  let now = 0;

  const remove = (exchange: Exchange): void => {
    const last = running.pop() as Exchange;
    if (last === exchange) return;
    running[exchange.index] = last;
    last.index = exchange.index;
  };

  const isOver = (since: number, timeoutMs: number): boolean => (now - since) * limits.checkIntervalMs >= timeoutMs;

  return {
    add(response) {
      const exchange: Exchange = { response, startedAt: now, endedAt: undefined, index: running.length };
      running.push(exchange);
      response.on("close", () => remove(exchange));
      // Writing to a response whose client is gone emits an error, and one without a listener ends the process.
      response.on("error", ignore);
    },
    check() {
      now += 1;
      // A copy, because one that is aborted leaves the list.
      for (const exchange of running.slice()) {
        const { response, startedAt, endedAt } = exchange;
        if (isWritten(response)) {
          if (endedAt === undefined) exchange.endedAt = now;
          else if (isOver(endedAt, limits.responseTimeoutMs)) abort(response);
        } else if (isOver(startedAt, limits.requestTimeoutMs) && !isReceived(response.req)) {
          abort(response);
        }
      }
    },
    drain() {
      for (const { response } of running) {
        if (!("stream" in response) && !response.headersSent) response.setHeader("connection", "close");
      }
    },
    count: () => running.length,
    hasBegun: (socket) => running.some(({ response }) => !("stream" in response) && response.socket === socket && response.headersSent),
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
