import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { ListenerLimits } from "./limits.ts";

/** The HTTP/1.1 connections, to close those that carry no request. */
export interface Http1Connections {
  /** From now on the socket speaks HTTP/1.1. */
  add(socket: Socket): void;
  /** Closes the connections without a request in progress for which `isOver` returns true. */
  closeWhere(isOver: (socket: Socket) => boolean): void;
  /** Closes the connections from which nothing has arrived for some time; call it every `drainCheckMs` of a drain. */
  closeQuiet(): void;
}

interface Entry {
  /** Bytes that were read before the first request: those of the TLS handshake. */
  readonly firstBytes: number;
  bytesRead: number;
  /** Calls of `closeQuiet` since something arrived. */
  quietChecks: number;
}

/**
 * Replaces Node's `closeIdleConnections`, which cuts responses that are complete but not sent yet, and which leaves a TLS connection
 * without a request open. `busy` returns the sockets with a request in progress.
 */
export function createHttp1Connections(
  { drainCheckMs, drainQuietMs, lingerMs }: Pick<ListenerLimits, "drainCheckMs" | "drainQuietMs" | "lingerMs">,
  busy: () => ReadonlySet<Socket>,
): Http1Connections {
  const entries = new Map<Socket, Entry>();

  const closeIdle = (isDue: (socket: Socket, entry: Entry) => boolean): void => {
    const inUse = busy();
    for (const [socket, entry] of entries) if (!inUse.has(socket) && isDue(socket, entry)) socket.destroySoon();
  };
  /** Before its first request a connection gets `lingerMs`, later `drainQuietMs`. */
  const isQuiet = (socket: Socket, entry: Entry): boolean => {
    entry.quietChecks = socket.bytesRead === entry.bytesRead ? entry.quietChecks + 1 : 0;
    entry.bytesRead = socket.bytesRead;
    return entry.quietChecks * drainCheckMs >= (hasSent(socket, entry) ? drainQuietMs : lingerMs);
  };

  return {
    add(socket) {
      // In clear text the first bytes have been read already, to know the version.
      const firstBytes = socket instanceof TLSSocket ? socket.bytesRead : 0;
      entries.set(socket, { firstBytes, bytesRead: -1, quietChecks: 0 });
      socket.once("close", () => entries.delete(socket));
    },
    closeWhere: (isOver) => closeIdle((socket, entry) => hasSent(socket, entry) && isOver(socket)),
    closeQuiet: () => closeIdle(isQuiet),
  };
}

function hasSent(socket: Socket, { firstBytes }: Entry): boolean {
  return socket.bytesRead > firstBytes;
}
