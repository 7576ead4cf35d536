import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Histogram } from "./histogram.ts";

export interface OpenLoadOptions {
  readonly port: number;
  readonly requests: readonly Buffer[];
  readonly connections: number;
  readonly perSecond: number;
  readonly durationMs: number;
  readonly latencies: Histogram;
}

/**
 * Sends requests at a fixed rate, whether earlier ones were answered or not, and records how long each took from the moment at which it
 * should have been sent. So a pause of the server counts for all requests that came during the pause. A timer sends what is due every
 * millisecond. Fails on anything but status 200.
 */
export async function openLoad({ port, requests, connections, perSecond, durationMs, latencies }: OpenLoadOptions): Promise<void> {
  const free: Socket[] = [];
  const dueMs = new Map<Socket, number>();
  const total = Math.floor((perSecond * durationMs) / 1000);
  let sent = 0;
  let answered = 0;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const wanted = Buffer.from("HTTP/1.1 200 ");

  const sockets = Array.from({ length: connections }, () => connect({ port, host: "127.0.0.1", noDelay: true }));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  const startMs = performance.now();

  /** Due requests that found no free connection wait for one. */
  const sendDue = () => {
    const due = Math.min(total, Math.floor(((performance.now() - startMs) * perSecond) / 1000));
    while (sent < due && free.length > 0) {
      const socket = free.pop() as Socket;
      dueMs.set(socket, startMs + (sent * 1000) / perSecond);
      socket.write(requests[sent % requests.length] as Buffer);
      sent += 1;
    }
  };
  for (const socket of sockets) {
    free.push(socket);
    // Each answer is small and is written at once.
    socket.on("data", (chunk) => {
      if (chunk.compare(wanted, 0, wanted.length, 0, wanted.length) !== 0) reject(new Error(chunk.toString("latin1", 0, 500)));
      latencies.record(performance.now() - (dueMs.get(socket) as number));
      free.push(socket);
      answered += 1;
      if (answered === total) resolve();
      else if (free.length === 1) sendDue();
    });
    socket.on("close", () => reject(new Error("the server closed a connection")));
  }
  const timer = setInterval(sendDue, 1);
  try {
    await promise;
  } finally {
    clearInterval(timer);
    for (const socket of sockets) socket.destroy();
  }
}
