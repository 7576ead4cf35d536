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
  /** Returns whether a request of the connection was sent ahead and is not answered yet. */
  isWaiting(socket: Socket): boolean;
  /**
   * Returns whether the connection has more requests ahead than allowed. This can happen although it is paused, because one packet may hold
   * many requests.
   */
  isOver(socket: Socket): boolean;
}

interface Queue {
  readonly waiting: Set<ServerResponse>;
  latest: ServerResponse | undefined;
}

/** Node does not notify a response whose connection closes before its turn. This destroys the response, so that its call ends too. */
export function createPipelines(maxRequests: number): Pipelines {
  const queues = new WeakMap<Socket, Queue>();

  const openQueue = (socket: Socket): Queue => {
    const waiting = new Set<ServerResponse>();
    const queue = { waiting, latest: undefined };
    queues.set(socket, queue);
    socket.once("close", () => {
      // Node notifies the response whose turn it is.
      for (const response of waiting) if (response.socket === null) response.destroy();
    });
    return queue;
  };

  return {
    add(socket, response) {
      if (response.socket !== null) return true;
      const queue = queues.get(socket) ?? openQueue(socket);
      const { waiting } = queue;
      if (isLast(waiting.size > 0 ? queue.latest : currentResponse(socket))) return false;
      queue.latest = response;
      waiting.add(response);
      if (waiting.size >= maxRequests) socket.pause();
      response.once("close", () => {
        waiting.delete(response);
        // If Node has its own reason, it keeps the socket paused.
        if (waiting.size === maxRequests - 1 && !socket.destroyed) socket.resume();
      });
      return true;
    },
    isWaiting: (socket) => (queues.get(socket)?.waiting.size ?? 0) > 0,
    isOver: (socket) => (queues.get(socket)?.waiting.size ?? 0) > maxRequests,
  };
}

/** The response whose turn it is. Node has no public name for it. */
function currentResponse(socket: Socket & { readonly _httpMessage?: ServerResponse | null }): ServerResponse | undefined {
  return socket._httpMessage ?? undefined;
}

/** Returns whether the head of a response says that the connection ends after it. Node has no public name for it. */
function isLast(response: (ServerResponse & { readonly _last?: boolean }) | undefined): boolean {
  return response?.headersSent === true && response._last === true;
}
