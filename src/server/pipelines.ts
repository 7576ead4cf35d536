import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** The HTTP/1.1 requests that were sent ahead: their responses wait for those before them. */
export interface Pipelines {
  /** To be called for each request before it is handled. Returns false if the connection has sent too many ahead; it is to be destroyed then. */
  add(socket: Socket, response: ServerResponse): boolean;
}

/** Node says nothing to a response whose connection closes before its turn, and it would be kept for ever. Here it gets its `close`. */
export function createPipelines(maxRequests: number): Pipelines {
  const queues = new WeakMap<Socket, Set<ServerResponse>>();

  const openQueue = (socket: Socket): Set<ServerResponse> => {
    const queue = new Set<ServerResponse>();
    queues.set(socket, queue);
    socket.once("close", () => {
      // Node tells the one whose turn it is.
      for (const response of queue) if (response.socket === null) close(response);
    });
    return queue;
  };

  return {
    add(socket, response) {
      if (response.socket !== null) return true;
      const queue = queues.get(socket) ?? openQueue(socket);
      if (queue.size >= maxRequests) return false;
      queue.add(response);
      response.once("close", () => queue.delete(response));
      return true;
    },
  };
}

function close(response: ServerResponse): void {
  response.destroy();
  response.emit("close");
}
