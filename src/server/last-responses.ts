import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/**
 * Returns a function that makes a response the last one of its HTTP/1.1 connection. Call it for the responses of a connection in their
 * order. A response before it that has not begun is the last no longer, because the client has sent its requests ahead and waits for all
 * responses. Returns false if the response before it says already that it is the last. Then the request must not be handled (RFC 9112,
 * section 9.6).
 */
export function createLastResponses(): (response: ServerResponse) => boolean {
  const last = new WeakMap<Socket, ServerResponse>();

  return (response) => {
    const { socket } = response.req;
    const before = last.get(socket);
    if (before?.headersSent && before.getHeader("connection") === "close") return false;
    if (before?.headersSent === false) before.removeHeader("connection");
    // A response that has begun is followed by the end of a connection that is quiet.
    if (!response.headersSent) response.setHeader("connection", "close");
    last.set(socket, response);
    return true;
  };
}
