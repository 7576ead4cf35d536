import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import { constants, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createLastResponses } from "./last-responses.ts";
import type { ListenerLimits } from "./limits.ts";
import { createLinger } from "./linger.ts";
import { abort, isStream, type Sink } from "./sink.ts";

/** The requests in progress, with the time-outs that Node does not have. */
export interface Exchanges {
  /** Tracks an exchange until its response is closed. */
  add(sink: Sink): void;
  /** Closes the connection of an HTTP/1.1 response after it, or returns false if it closes before (`createLastResponses`). */
  closeAfter(response: ServerResponse): boolean;
  /** Checks the time-outs; call it every `checkIntervalMs`. */
  check(): void;
  /** Closes the HTTP/1.1 connections in use after the responses to the requests that have arrived. */
  drain(): void;
  /** Returns the number of exchanges in progress. */
  count(): number;
  /** Returns the sockets of the HTTP/1.1 exchanges. */
  http1Sockets(): ReadonlySet<Socket>;
  /** Returns the HTTP/1.1 responses in progress on this socket, in the order of their requests. */
  responsesOn(socket: unknown): ServerResponse[];
  /** Returns whether the client is still sending an HTTP/1.1 request that has had its response. */
  isAnswered(socket: Duplex): boolean;
}

interface Exchange {
  readonly sink: Sink;
  readonly startedAt: number;
  /** Exchanges are numbered in the order of their requests. */
  readonly number: number;
  /** The time since which only the client delays the response. */
  unreadSince: number | undefined;
  /** Its index in the list. */
  index: number;
}

/**
 * Time is counted in checks, so that a request never reads the clock. What ends an exchange:
 *
 * - an HTTP/2 request that is not complete in time (for HTTP/1.1 Node handles this),
 * - a complete response that its client does not read in time,
 * - a response of which no more can be written, because its client has read nothing for that time,
 * - a client that still sends its request more than `lingerMs` after the response.
 *
 * The list is an array, not a Set. A Set that thousands of entries pass through leaves a chain of outgrown tables. Once the oldest table is
 * promoted, the garbage collector keeps all the requests that the others hold. See bench/micro.ts for the cost per request.
 */
export function createExchanges(limits: ListenerLimits): Exchanges {
  const running: Exchange[] = [];
  const linger = createLinger(limits.lingerMs);
  const closeAfter = createLastResponses();
  let added = 0;
  let now = 0;

  const remove = (exchange: Exchange): void => {
    const last = running.pop() as Exchange;
    if (last === exchange) return;
    running[exchange.index] = last;
    last.index = exchange.index;
  };

  const inOrder = (): Exchange[] => running.toSorted((one, other) => one.number - other.number);

  const isOver = (since: number, timeoutMs: number): boolean => (now - since) * limits.checkIntervalMs >= timeoutMs;

  return {
    add(sink) {
      const exchange: Exchange = { sink, startedAt: now, number: added, unreadSince: undefined, index: running.length };
      added += 1;
      running.push(exchange);
      sink.on("close", () => {
        remove(exchange);
        // The session's own Map of streams has the same fault. If no listeners hang on a finished stream, the collector moves a tenth as
        // much.
        if (isStream(sink)) removeListeners(sink);
      });
      if (!isStream(sink)) sink.prependListener("finish", linger.onFinish);
      // Writing to a client that has disconnected emits an error, and an error without a listener ends the process.
      sink.on("error", ignore);
    },
    closeAfter,
    check() {
      now += 1;
      // A copy, because an exchange that is aborted removes itself from the list.
      for (const exchange of running.slice()) {
        const { sink, startedAt, unreadSince } = exchange;
        const complete = isComplete(sink);
        if (!complete && !isReceived(sink) && isOver(startedAt, limits.requestTimeoutMs)) abort(sink);
        else if (!complete && !sink.writableNeedDrain) exchange.unreadSince = undefined;
        else if (unreadSince === undefined) {
          exchange.unreadSince = now;
          // A writer that fills the room again at once needs a drain at every check, although its client reads.
          if (!complete) sink.once("drain", () => (exchange.unreadSince = undefined));
        } else if (isOver(unreadSince, limits.responseTimeoutMs)) abort(sink);
        else if (isOver(unreadSince, limits.lingerMs) && sink.writableFinished && !isReceived(sink)) stopSender(sink);
      }
    },
    drain() {
      for (const { sink } of inOrder()) if (!isStream(sink)) closeAfter(sink);
    },
    count: () => running.length,
    isAnswered: linger.isAnswered,
    http1Sockets: () => new Set(running.flatMap(({ sink }) => (isStream(sink) ? [] : [sink.req.socket]))),
    responsesOn: (socket) => inOrder().flatMap(({ sink }) => (isStream(sink) || sink.req.socket !== socket ? [] : [sink])),
  };
}

/** A response whose length is known is complete too, although it may be written in pieces: only its client delays it. */
function isComplete(sink: Sink): boolean {
  // Until then, responses before it on the connection delay it.
  if (!isStream(sink) && sink.socket === null) return false;
  if (sink.writableEnded) return true;
  return isStream(sink) ? sink.sentHeaders?.["content-length"] !== undefined : sink.headersSent && sink.hasHeader("content-length");
}

function isReceived(sink: Sink): boolean {
  return !isStream(sink) || sink.endAfterHeaders || sink.readableEnded;
}

/** Stops a client that is still sending; it keeps the response (RFC 9113, section 8.1). */
function stopSender(sink: Sink): void {
  if (isStream(sink)) sink.close(constants.NGHTTP2_NO_ERROR);
}

/** Like `removeAllListeners` of a stream, but without an event per listener, and without two ticks for missing readers. */
function removeListeners(stream: ServerHttp2Stream): void {
  EventEmitter.prototype.removeAllListeners.call(stream, "removeListener");
  EventEmitter.prototype.removeAllListeners.call(stream);
}

function ignore(): void {}
