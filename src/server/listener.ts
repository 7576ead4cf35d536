import { once, setMaxListeners } from "node:events";
import { createServer, type Server, type ServerOptions } from "node:http";
import { createServer as createHttp2Server, type Http2Server } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { HttpHandler } from "../http/message.ts";
import { type Exchanges, createExchanges } from "./exchanges.ts";
import { peekFirstBytes } from "./first-bytes.ts";
import { answerHttp1Errors } from "./http1-errors.ts";
import { type Http2Sessions, trackHttp2Sessions } from "./http2-sessions.ts";
import type { ListenerLimits } from "./limits.ts";
import { createGate } from "./request-gate.ts";

export interface ListenerOptions {
  readonly handler: HttpHandler;
  readonly limits: ListenerLimits;
  /** Certificate chain and private key in PEM. With them the port speaks TLS only. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
  /** Told of what a handler throws, which it should not: the client gets a 500 and the server goes on. */
  readonly onHandlerError?: (error: unknown) => void;
}

export interface Listener {
  /** Aborts when `drain` is called. Streams that would not end by themselves end then. */
  readonly draining: AbortSignal;
  /** Port 0 takes a free one. Rejects with the system's error where the address cannot be had. */
  listen(host: string, port: number): Promise<{ address: string; port: number }>;
  /**
   * Takes no more connections, lets what runs finish, and resolves when the last connection is closed; after `forceAfterMs` those that
   * are left are destroyed. Further calls wait for the first.
   */
  drain(forceAfterMs: number): Promise<void>;
  /** Connections that are open. */
  connectionCount(): number;
}

/**
 * One port for HTTP/1.1 and HTTP/2: by their first bytes in clear text, by ALPN over TLS. The HTTP/1.1 server listens, because one that
 * does not loses its time-outs and its way to close idle connections; the HTTP/2 server never does and is handed its connections. TLS
 * goes the same way, instead of http2's secure server with `allowHTTP1`, so that limits and drain are the same code on both.
 */
export function createListener({ handler, limits, tls, onHandlerError }: ListenerOptions): Listener {
  const sockets = new Set<Socket>();
  const drainStart = new AbortController();
  setMaxListeners(0, drainStart.signal);

  const http1 = createHttp1Server(limits, tls);
  const http2 = createHttp2Server(http2Options(limits));
  const exchanges = createExchanges(limits, () => {
    if (drainStart.signal.aborted) http1.closeIdleConnections();
  });
  const sessions = trackHttp2Sessions(http2, limits);
  const gate = createGate({ handler, exchanges, maxHeaderCount: limits.maxHeaderCount, draining: drainStart.signal, onHandlerError });
  for (const server of [http1, http2]) {
    server.on("request", gate.request);
    server.on("checkExpectation", gate.refuseExpectation);
  }
  http2.on("connect", gate.refuseConnect);
  answerHttp1Errors(http1, exchanges.hasBegun, limits.lingerMs);

  http1.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  routeConnections(http1, sessions, limits, tls !== undefined);
  const checks = startChecks([exchanges, sessions], limits.checkIntervalMs);

  let drained: Promise<void> | undefined;
  const drain = async (forceAfterMs: number): Promise<void> => {
    const force = setTimeout(() => destroyAll(sockets), forceAfterMs);
    const closed = http1.listening ? new Promise<void>((resolve) => http1.close(() => resolve())) : undefined;
    drainStart.abort();
    exchanges.drain();
    sessions.drain();
    await closed;
    clearTimeout(force);
    clearInterval(checks);
  };

  return {
    draining: drainStart.signal,
    async listen(host, port) {
      http1.listen({ host, port });
      await once(http1, "listening");
      const { address, port: boundPort } = http1.address() as AddressInfo;
      return { address, port: boundPort };
    },
    drain(forceAfterMs) {
      drained ??= drain(forceAfterMs);
      return drained;
    },
    connectionCount: () => sockets.size,
  };
}
