import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/**
 * - `pass`: bytes are forwarded;
 * - `silent`: connections are accepted and stay open, but no byte is forwarded until the mode changes; then all are forwarded late;
 * - `cut`: connections are reset, including new ones.
 */
export type ProxyMode = "pass" | "silent" | "cut";

/** A TCP proxy on a free port of 127.0.0.1, with which tests cut the network between two processes. */
export interface TcpProxy {
  readonly port: number;
  /** How many connections were made so far. */
  readonly connections: number;
  set(mode: ProxyMode): void;
  close(): Promise<void>;
}

/** `delayMs` is the delay of every chunk, in each direction. */
export async function startTcpProxy(targetPort: number, { delayMs = 0 } = {}): Promise<TcpProxy> {
  let mode: ProxyMode = "pass";
  let connections = 0;
  const peers = new Map<Socket, Socket>();

  // No back-pressure, because everything in a test fits into memory.
  const forward = (from: Socket, to: Socket) => {
    peers.set(from, to);
    from.setNoDelay(true);
    from.on("error", () => {});
    from.on("data", (chunk) => {
      if (delayMs === 0) to.write(chunk);
      else setTimeout(() => to.write(chunk), delayMs);
    });
    from.on("end", () => to.end());
    from.on("close", () => {
      peers.delete(from);
      // While nothing is forwarded, the other side must not notice.
      if (mode !== "silent") to.destroySoon();
    });
    if (mode === "silent") from.pause();
  };

  const server = createServer({ allowHalfOpen: true }, (client) => {
    connections += 1;
    if (mode === "cut") {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ port: targetPort, host: "127.0.0.1", allowHalfOpen: true });
    forward(client, upstream);
    forward(upstream, client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    set(next) {
      mode = next;
      for (const [socket, peer] of peers) {
        if (mode === "silent") socket.pause();
        else if (mode === "cut" || peer.destroyed) socket.resetAndDestroy();
        else socket.resume();
      }
    },
    async close() {
      for (const socket of peers.keys()) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
