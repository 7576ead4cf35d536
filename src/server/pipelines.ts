import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** HTTP/1.1 requests that were sent ahead: their responses wait for earlier ones. */
export interface Pipelines {
  /**
   * Call for each request. A connection with many requests ahead is not read until some of them are answered. Returns false if a response
   * before this one is the last of its connection. Then the request must not be handled, because it will not be answered (RFC 9112, section
   * 9.6).
   */
  add(socket: Socket, response: ServerResponse): boolean;
  /**
   * Call when a request is about to be handled, which is after it was read: the response before it may have begun since. Returns false if
   * it must not be handled. If that cannot be told yet, calls `again` once it can.
   */
  mayHandle(response: ServerResponse, again: () => void): boolean;
  /** Returns whether a request of the connection was sent ahead and is not answered yet. */
  isWaiting(socket: Socket): boolean;
  /**
   * Returns whether the connection has more requests ahead than allowed. This can happen although it is paused, because one packet may hold
   * many requests.
   */
  isOver(socket: Socket): boolean;
}

interface Queue {
  /** The responses that wait, each with the one before it. */
  readonly waiting: Map<ServerResponse, ServerResponse | undefined>;
  latest: ServerResponse | undefined;
}

/** Node does not notify a response whose connection closes before its turn. This destroys the response, so that its call ends too. */
export function createPipelines(maxRequests: number): Pipelines {
  const queues = new WeakMap<Socket, Queue>();
  /** Those that wait for the response before them even to be handled. */
  const held = new WeakSet<ServerResponse>();

  const openQueue = (socket: Socket): Queue => {
    const waiting = new Map<ServerResponse, ServerResponse | undefined>();
    const queue = { waiting, latest: undefined };
    queues.set(socket, queue);
    socket.once("close", () => {
      // Node notifies the response whose turn it is.
      for (const response of waiting.keys()) if (response.socket === null) response.destroy();
    });
    return queue;
  };

  return {
    add(socket, response) {
      if (response.socket !== null) return true;
      const queue = queues.get(socket) ?? openQueue(socket);
      const { waiting } = queue;
      const before = waiting.size > 0 ? queue.latest : currentResponse(socket);
      if (before !== undefined && isLast(before)) return false;
      queue.latest = response;
      waiting.set(response, before);
      if (waiting.size >= maxRequests) socket.pause();
      response.once("close", () => {
        waiting.delete(response);
        // If Node has its own reason, it keeps the socket paused.
        if (waiting.size === maxRequests - 1 && !socket.destroyed) socket.resume();
      });
      return true;
    },
    mayHandle(response, again) {
      const { socket } = response.req;
      if (response.destroyed || socket.writableEnded) return false;
      if (response.socket !== null) return true;
      const before = queues.get(socket)?.waiting.get(response);
      if (before === undefined) return true;
      if (isLast(before)) {
        response.destroy();
        return false;
      }
      if (!held.has(before) && !mayBeLast(before)) return true;
      held.add(response);
      before.once("close", again);
      return false;
    },
    isWaiting: (socket) => (queues.get(socket)?.waiting.size ?? 0) > 0,
    isOver: (socket) => (queues.get(socket)?.waiting.size ?? 0) > maxRequests,
  };
}

/** The response whose turn it is. Node has no public name for it. */
function currentResponse(socket: Socket & { readonly _httpMessage?: ServerResponse | null }): ServerResponse | undefined {
  return socket._httpMessage ?? undefined;
}

type NodeResponse = ServerResponse & { readonly _last?: boolean; readonly _expect_continue?: boolean; readonly _sent100?: boolean };

/** Returns whether the connection ends after this response. Node has no public name for what its head says. */
function isLast(response: NodeResponse): boolean {
  return response.destroyed || !response.shouldKeepAlive || (response.headersSent && response._last === true);
}

/**
 * Returns whether the head of this response, not written yet, may say that the connection ends after it. Node ends it if the client was
 * never asked for the body that it offered, or if a client of HTTP/1.0 could not tell the end of the response.
 */
function mayBeLast(response: NodeResponse): boolean {
  if (response.headersSent) return false;
  return (response._expect_continue === true && response._sent100 !== true) || response.req.httpVersion === "1.0";
}
