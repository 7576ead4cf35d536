import type { ServerResponse } from "node:http";
import { constants, type ServerHttp2Stream } from "node:http2";
import type { ListenerLimits } from "./limits.ts";
import { createLinger } from "./linger.ts";

/** What a response is written to. */
type Sink = ServerResponse | ServerHttp2Stream;

/** The requests in progress, with the time-outs that Node does not have. */
export interface Exchanges {
  /** Tracks an exchange until its response is closed. */
  add(sink: Sink): void;
  /** Looks at the time-outs; to be called every `checkIntervalMs`. */
  check(): void;
  /** Closes the HTTP/1.1 connections in use after their current response. */
  drain(): void;
  /** Exchanges that are not over. */
  count(): number;
  /** Whether an HTTP/1.1 response on this socket has begun, so that nothing else can be written to it. */
  hasBegun(socket: unknown): boolean;
}

interface Exchange {
  readonly sink: Sink;
  readonly startedAt: number;
  /** The time at which the response was complete. */
  endedAt: number | undefined;
  /** Its place in the list. */
  index: number;
}

/**
 * Time is counted in checks, so that a request costs no look at the clock. Three things end an exchange: an HTTP/2 request that is not
 * complete in time (for HTTP/1.1 Node sees to it), a complete response that the client does not read, and a client that goes on sending
 * its request for longer than `lingerMs` after the answer.
 *
 * They are kept in an array and not in a Set. A Set that thousands pass through leaves a chain of outgrown tables, and once the oldest is
 * promoted, the garbage collector keeps all the requests that the others hold. See bench/micro.ts for the cost a request.
 */
export function createExchanges(limits: ListenerLimits): Exchanges {
  const running: Exchange[] = [];
  const linger = createLinger(limits.lingerMs);
  let now = 0;

  const remove = (exchange: Exchange): void => {
    const last = running.pop() as Exchange;
    if (last === exchange) return;
    running[exchange.index] = last;
    last.index = exchange.index;
  };

  const isOver = (since: number, timeoutMs: number): boolean => (now - since) * limits.checkIntervalMs >= timeoutMs;

  return {
    add(sink) {
      const exchange: Exchange = { sink, startedAt: now, endedAt: undefined, index: running.length };
      running.push(exchange);
      sink.on("close", () => {
        remove(exchange);
        // The session's own Map of streams has that same fault; with nothing hanging on a stream that is over, the collector moves a tenth.
        if (isStream(sink)) sink.removeAllListeners();
      });
      if (!isStream(sink)) sink.prependListener("finish", linger);
      // Writing to a client that is gone emits an error, and one without a listener ends the process.
      sink.on("error", ignore);
    },
    check() {
      now += 1;
      // A copy, because one that is aborted leaves the list.
      for (const exchange of running.slice()) {
        const { sink, startedAt, endedAt } = exchange;
        if (sink.writableEnded) {
          if (endedAt === undefined) exchange.endedAt = now;
          else if (isOver(endedAt, limits.responseTimeoutMs)) abort(sink);
          else if (isOver(endedAt, limits.lingerMs) && sink.writableFinished && !isReceived(sink)) stopSender(sink);
        } else if (isOver(startedAt, limits.requestTimeoutMs) && !isReceived(sink)) {
          abort(sink);
        }
      }
    },
    drain() {
      for (const { sink } of running) {
        if (!isStream(sink) && !sink.headersSent) sink.setHeader("connection", "close");
      }
    },
    count: () => running.length,
    hasBegun: (socket) => running.some(({ sink }) => !isStream(sink) && sink.socket === socket && sink.headersSent),
  };
}

function isStream(sink: Sink): sink is ServerHttp2Stream {
  return "endAfterHeaders" in sink;
}

function isReceived(sink: Sink): boolean {
  return !isStream(sink) || sink.endAfterHeaders || sink.readableEnded;
}

function abort(sink: Sink): void {
  if (isStream(sink)) sink.close(constants.NGHTTP2_CANCEL);
  else sink.destroy();
}

/** A client that is still sending keeps the response (RFC 9113, section 8.1). */
function stopSender(sink: Sink): void {
  if (isStream(sink)) sink.close(constants.NGHTTP2_NO_ERROR);
}

function ignore(): void {}
