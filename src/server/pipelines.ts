import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** HTTP/1.1 requests that were sent ahead: their responses wait for earlier ones. */
export interface Pipelines {
  /** Call for each request. A connection with many requests ahead is not read until some of them are answered. */
  add(socket: Socket, response: ServerResponse): void;
  /** Returns whether a request of the connection was sent ahead and is not answered yet. */
  isWaiting(socket: Socket): boolean;
  /**
   * Returns whether the connection has more requests ahead than allowed. This can happen although it is paused, because one packet may hold
   * many requests.
   */
  isOver(socket: Socket): boolean;
}

/** Node does not notify a response whose connection closes before its turn. This destroys the response, so that its call ends too. */
export function createPipelines(maxRequests: number): Pipelines {
  const queues = new WeakMap<Socket, Set<ServerResponse>>();

  const openQueue = (socket: Socket): Set<ServerResponse> => {
    const queue = new Set<ServerResponse>();
    queues.set(socket, queue);
    socket.once("close", () => {
      // Node notifies the response whose turn it is.
      for (const response of queue) if (response.socket === null) response.destroy();
    });
    return queue;
  };

  return {
    add(socket, response) {
      if (response.socket !== null) return;
      const queue = queues.get(socket) ?? openQueue(socket);
      queue.add(response);
      if (queue.size >= maxRequests) socket.pause();
      response.once("close", () => {
        queue.delete(response);
        // If Node has its own reason, it keeps the socket paused.
        if (queue.size === maxRequests - 1 && !socket.destroyed) socket.resume();
      });
    },
    isWaiting: (socket) => (queues.get(socket)?.size ?? 0) > 0,
    isOver: (socket) => (queues.get(socket)?.size ?? 0) > maxRequests,
  };
}
