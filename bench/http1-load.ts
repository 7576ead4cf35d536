import { once } from "node:events";
import { connect } from "node:net";
import type { Load } from "./load.ts";

/**
 * Sends prebuilt requests in turn on many connections, one at a time on each. Fails on anything but 200. Calls `observe` with
 * how long each answer took.
 */
export async function http1Load(
  port: number,
  requests: readonly Buffer[],
  connections: number,
  observe?: (tookMs: number) => void,
): Promise<Load> {
  let isRunning = false;
  let isBroken = false;
  let requestCount = 0;
  let waiting = 0;
  let idle: (() => void) | undefined;
  let fail: ((error: Error) => void) | undefined;
  const wanted = Buffer.from("HTTP/1.1 200 ");

  let turn = 0;
  const next = () => requests[turn++ % requests.length] as Buffer;

  const open = async () => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    let pending: Buffer | undefined;
    let sentMs = 0;
    const send = () => {
      if (observe !== undefined) sentMs = performance.now();
      socket.write(next());
    };
    socket.on("data", (chunk) => {
      const bytes = pending === undefined ? chunk : Buffer.concat([pending, chunk]);
      if (bytes.length < responseLength(bytes)) {
        pending = bytes;
        return;
      }
      pending = undefined;
      if (bytes.compare(wanted, 0, wanted.length, 0, wanted.length) !== 0) fail?.(new Error(bytes.toString("latin1", 0, 500)));
      requestCount += 1;
      observe?.(performance.now() - sentMs);
      if (isRunning) send();
      else if (--waiting === 0) idle?.();
    });
    socket.on("close", () => {
      isBroken = true;
      fail?.(new Error("the server closed a connection"));
    });
    return { socket, send };
  };
  const sockets = await Promise.all(Array.from({ length: connections }, open));

  return {
    run(durationMs) {
      return new Promise((resolve, reject) => {
        fail = reject;
        if (isBroken) reject(new Error("the server closed a connection"));
        idle = () => resolve(requestCount);
        requestCount = 0;
        waiting = sockets.length;
        isRunning = true;
        setTimeout(() => {
          isRunning = false;
        }, durationMs);
        for (const { send } of sockets) send();
      });
    },
    close() {
      fail = undefined;
      for (const { socket } of sockets) socket.destroy();
    },
  };
}

/** Returns the length of the first response in the bytes, or Infinity if its head is incomplete. */
function responseLength(bytes: Buffer): number {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd < 0) return Number.POSITIVE_INFINITY;
  return headEnd + 4 + Number(/content-length: (\d+)/i.exec(bytes.toString("latin1", 0, headEnd))?.[1] ?? 0);
}
