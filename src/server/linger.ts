import type { ServerResponse } from "node:http";

/**
 * Makes the listener for the end of an HTTP/1.1 answer, to be called before Node's own. Where the client is still sending its request, the
 * rest is read and dropped for at most `lingerMs`. A connection that was to be kept is kept where the request ends within that time; one
 * that was to be closed is closed for writing at once and for reading at the end of the request. Node would destroy it with the answer
 * unread: what a client sends to a closed connection makes TCP drop what it has not read. After `lingerMs` it is destroyed, so that
 * nobody sends at our cost what is refused already.
 */
export function createLinger(lingerMs: number): (this: ServerResponse) => void {
  return function linger() {
    const { req } = this;
    if (req.complete || req.socket.destroyed) return;
    const { socket } = req;
    const destroySoon = socket.destroySoon;
    let isLast = false;
    const timer = setTimeout(() => socket.destroy(), lingerMs);
    // Node calls it after the last answer of a connection.
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
