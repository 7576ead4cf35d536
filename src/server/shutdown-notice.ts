import { writeSync } from "node:fs";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

/** A GOAWAY without an error, with the highest stream id: opens no more streams, but accepts those in transit (RFC 9113, section 6.8). */
const notice = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);

interface Handle {
  /** -1 where sockets have no file descriptor (Windows). */
  readonly fd: number;
  /** Bytes that the system has not accepted yet. */
  readonly writeQueueSize: number;
}

function handleOf(socket: Socket): Handle | null {
  return (socket as Socket & { readonly _handle: Handle | null })._handle;
}

/** A TLS socket would have to encrypt it in the order of Node's own writes. */
export function canSendNotice(socket: Socket): boolean {
  return !(socket instanceof TLSSocket) && socket.writable && (handleOf(socket)?.fd ?? -1) >= 0;
}

/**
 * Sends the notice on the socket of an HTTP/2 session. Returns false if that is not possible now, because the client has not read what was
 * sent.
 *
 * Node cannot send it: its `goaway` makes nghttp2 ignore new streams, and even stop reading if none is open. Writing to the socket is not
 * possible either, because the session would take the end of such a write for that of its own. So this writes to the file descriptor,
 * between two frames: Node writes whole frames, and nothing is queued.
 */
export function sendShutdownNotice(socket: Socket): boolean {
  const handle = handleOf(socket);
  if (handle === null || handle.writeQueueSize > 0) return false;
  try {
    // A part of a frame would break the connection.
    if (writeSync(handle.fd, notice) < notice.length) socket.destroy();
    return true;
  } catch {
    // The system takes no more for now (EAGAIN), or the connection is broken, which the session learns too.
    return false;
  }
}
