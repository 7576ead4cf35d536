import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** The HTTP/1.1 requests that were sent ahead: their responses wait for those before them. */
export interface Pipelines {
  /** Call for each request. A connection with many requests ahead is not read until some of them are answered. */
  add(socket: Socket, response: ServerResponse): void;
  /** Whether a request of the connection was sent ahead and is not answered yet. */
  isWaiting(socket: Socket): boolean;
  /** Whether the connection has more requests ahead than it may. It may happen although it is paused: one packet holds many requests. */
  isOver(socket: Socket): boolean;
}

/** Node says nothing to a response whose connection closes before its turn. Here it is destroyed, so that its call ends too. */
export function createPipelines(maxRequests: number): Pipelines {
  const queues = new WeakMap<Socket, Set<ServerResponse>>();

  const openQueue = (socket: Socket): Set<ServerResponse> => {
    const queue = new Set<ServerResponse>();
    queues.set(socket, queue);
    socket.once("close", () => {
      // Node tells the one whose turn it is.
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
        // Node keeps it paused if it has its own reason.
        if (queue.size === maxRequests - 1 && !socket.destroyed) socket.resume();
      });
    },
    isWaiting: (socket) => (queues.get(socket)?.size ?? 0) > 0,
    isOver: (socket) => (queues.get(socket)?.size ?? 0) > maxRequests,
  };
}
