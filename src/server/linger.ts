import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

export interface Linger {
  /** The listener for the end of an HTTP/1.1 response. */
  readonly onFinish: (this: ServerResponse) => void;
  /** Returns whether the client is still sending a request whose response has ended. */
  readonly isAnswered: (socket: Duplex) => boolean;
}

/**
 * Makes the listener for the end of an HTTP/1.1 response. Add it before Node's own. If the client is still sending its request, the rest is
 * read and dropped for at most `lingerMs`. If the request ends within that time, a keep-alive connection is kept. Any other connection is
 * closed for writing at once and for reading at the end of the request. Node would destroy it while the response is unread: data sent to a
 * closed connection makes TCP drop what the client has not read. After `lingerMs` the connection is destroyed, so that nobody sends refused
 * data at our cost.
 */
export function createLinger(lingerMs: number): Linger {
  const answered = new WeakSet<Duplex>();

  function onFinish(this: ServerResponse): void {
    const { req } = this;
    if (req.complete || req.socket.destroyed) return;
    const { socket } = req;
    answered.add(socket);
    const destroySoon = socket.destroySoon;
    let isLast = false;
    const timer = setTimeout(() => socket.destroy(), lingerMs);
    // Node calls it after the last response of a connection.
    socket.destroySoon = () => {
      isLast = true;
      socket.end();
    };
    const stop = (): void => {
      clearTimeout(timer);
      answered.delete(socket);
      socket.off("close", stop);
      socket.destroySoon = destroySoon;
      if (isLast) socket.destroySoon();
    };
    req.once("end", stop);
    socket.once("close", stop);
    req.resume();
  }

  return { onFinish, isAnswered: (socket) => answered.has(socket) };
}
