import type { ServerResponse } from "node:http";

/**
 * Makes the listener for the end of an HTTP/1.1 response. Add it before Node's own. If the client is still sending its request, the rest is
 * read and dropped for at most `lingerMs`. If the request ends within that time, a keep-alive connection is kept. Any other connection is
 * closed for writing at once and for reading at the end of the request. Node would destroy it while the response is unread: data sent to a
 * closed connection makes TCP drop what the client has not read. After `lingerMs` the connection is destroyed, so that nobody sends refused
 * data at our cost.
 */
export function createLinger(lingerMs: number): (this: ServerResponse) => void {
  return function linger() {
    const { req } = this;
    if (req.complete || req.socket.destroyed) return;
    const { socket } = req;
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
      socket.off("close", stop);
      socket.destroySoon = destroySoon;
      if (isLast) socket.destroySoon();
    };
    req.once("end", stop);
    socket.once("close", stop);
    req.resume();
  };
}
