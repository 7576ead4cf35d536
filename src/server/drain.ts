import type { Server } from "node:http";
import type { Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import type { Exchanges } from "./exchanges.ts";
import type { Http1Connections } from "./http1-connections.ts";
import type { Http2Sessions } from "./http2-sessions.ts";

/** The parts of a listener that a drain closes. */
export interface Drained {
  readonly http1: Server;
  readonly sockets: ReadonlySet<Socket>;
  readonly exchanges: Exchanges;
  readonly http1Connections: Http1Connections;
  readonly sessions: Http2Sessions;
  readonly drainCheckMs: number;
  /** Aborted once no more connections are accepted. */
  readonly portClosed: AbortController;
}

/** The number of completed connections that the system keeps for `accept`: Node's default. */
const maxBacklog = 511;

/** See `drain` of Listener. */
export async function drain(
  { http1, sockets, exchanges, http1Connections, sessions, drainCheckMs, portClosed }: Drained,
  forceAfterMs: number,
): Promise<void> {
  await acceptBacklog(http1);
  const closed = new Promise<void>((resolve) => (http1.listening ? http1.close(() => resolve()) : resolve()));
  // Not before: a client that is told that its connection ends may connect again at once, and closing the port would cut the new
  // connection.
  portClosed.abort();
  exchanges.drain();
  sessions.drain();
  // Timers run before sockets are read, so the next request may have arrived.
  const checks = setInterval(() => void setImmediate().then(http1Connections.closeQuiet), drainCheckMs);
  const force = setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, forceAfterMs);
  await closed;
  // The server's `close` comes a moment before that of its last socket.
  await Promise.all([...sockets].map((socket) => new Promise((resolve) => socket.once("close", resolve))));
  clearTimeout(force);
  clearInterval(checks);
}

/** Accepts the connections that the system has completed, because closing the port would cut them. A turn of the event loop accepts one. */
async function acceptBacklog(http1: Server): Promise<void> {
  let accepted = 0;
  const count = (): void => {
    accepted += 1;
  };
  http1.on("connection", count);
  // The rest of this turn.
  await setImmediate();
  for (let before = -1; accepted !== before && accepted < maxBacklog; ) {
    before = accepted;
    await setImmediate();
  }
  http1.off("connection", count);
}
