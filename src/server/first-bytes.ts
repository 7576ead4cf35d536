import type { Socket } from "node:net";

/** The first bytes of every HTTP/2 client (RFC 9113, section 3.4). */
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

export type WireVersion = "http1" | "http2";

/**
 * Reads just enough of a new connection to distinguish HTTP/2 with prior knowledge from HTTP/1.1, and passes on what it read. The preface
 * may arrive in pieces. A connection that sends nothing within `timeoutMs`, or ends before that, is closed and never passed on.
 */
export function peekFirstBytes(socket: Socket, timeoutMs: number, decided: (version: WireVersion, head: Buffer) => void): void {
  let head: Buffer = Buffer.alloc(0);
  const giveUp = (): void => {
    socket.destroy();
  };
  const ignore = (): void => {};
  // A separate timer, because the socket's own restarts with every byte.
  const timer = setTimeout(giveUp, timeoutMs);
  const stop = (): void => {
    clearTimeout(timer);
    socket.off("data", read).off("end", giveUp).off("error", ignore).off("close", stop);
  };
  const read = (chunk: Buffer): void => {
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    const compared = Math.min(head.length, preface.length);
    const matches = head.compare(preface, 0, compared, 0, compared) === 0;
    if (matches && compared < preface.length) return;
    stop();
    decided(matches ? "http2" : "http1", head);
  };
  // An http server's sockets stay open when the peer ends, hence `end`; `error` is always followed by `close`.
  socket.on("data", read).on("end", giveUp).on("error", ignore).on("close", stop);
}
