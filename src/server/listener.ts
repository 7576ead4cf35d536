import { once, setMaxListeners } from "node:events";
import type { Server } from "node:http";
import type { Http2Server } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import type { HttpHandler, StreamHandler } from "../http/message.ts";
import { routeConnections } from "./connection-router.ts";
import { type Connections, createConnections } from "./connections.ts";
import { drain } from "./drain.ts";
import { createExchanges } from "./exchanges.ts";
import { createHttp1Connections } from "./http1-connections.ts";
import { answerHttp1Errors } from "./http1-errors.ts";
import { trackHttp2Sessions } from "./http2-sessions.ts";
import { takeStreams } from "./http2-streams.ts";
import type { ListenerLimits } from "./limits.ts";
import { createHttp1Server, createHttp2Server, replaceTls } from "./node-servers.ts";
import { peerShare } from "./peer-share.ts";
import { createHttp1Gate, createHttp2Gate, type GateOptions } from "./request-gate.ts";
import type { ClientCertificates } from "./tls/client-certificates.ts";
import type { TlsMaterial } from "./tls/tls-material.ts";

export interface ListenerOptions {
  readonly handler: HttpHandler;
  /** Called first for a request over HTTP/2. */
  readonly streamHandler?: StreamHandler | undefined;
  readonly limits: ListenerLimits;
  /** Default: each address has its share of `limits`, and no connection is ever known. */
  readonly connections?: Connections;
  /** If given, the port speaks TLS only. */
  readonly tls?: TlsMaterial | undefined;
  /** Set if clients are asked for certificates. */
  readonly certificates?: ClientCertificates | undefined;
  /**
   * Called with errors that a handler threw although it must not (the client gets a 500), and with connections that could not be accepted.
   */
  readonly onError?: (error: unknown) => void;
}

export interface Listener {
  /** Aborts when `drain` is called. Calls that do not end by themselves, such as a health Watch, must end then. */
  readonly draining: AbortSignal;
  /** Port 0 takes a free one. Rejects with the system's error if the address cannot be used. */
  listen(host: string, port: number): Promise<{ address: string; port: number }>;
  /**
   * Accepts no more connections, lets calls in progress finish, and resolves when the last connection is closed. After `forceAfterMs`,
   * destroys the remaining connections. Further calls wait for the first.
   */
  drain(forceAfterMs: number): Promise<void>;
  /** Returns the number of open connections. */
  connectionCount(): number;
  /** New connections use the new material. Connections whose client certificate is no longer valid are closed. */
  replaceTls(tls: TlsMaterial): void;
}

/** Returns the authority of a URL for an address that was bound. */
export function authorityOf({ address, port }: { readonly address: string; readonly port: number }): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

/**
 * One port for HTTP/1.1 and HTTP/2, distinguished by the first bytes in clear text and by ALPN over TLS. The HTTP/1.1 server listens,
 * because a server that does not listen loses its time-outs and cannot close idle connections. The HTTP/2 server never listens and is
 * handed its connections. TLS works the same way, instead of through http2's secure server with `allowHTTP1`, so that limits and drain are
 * the same code for both.
 *
 * The drain waits for connections, not for handlers: a connection is closed after its last response, and every response has a connection.
 */
export function createListener(options: ListenerOptions): Listener {
  const { handler, streamHandler = () => false, limits, tls, certificates = noCertificates, onError = () => {} } = options;
  const connections = options.connections ?? createConnections({ limits, shareOf: peerShare([]), onRefused: () => {} });
  const sockets = new Set<Socket>();
  const drainStart = new AbortController();
  const draining = drainStart.signal;
  setMaxListeners(0, draining);
  const portClosed = new AbortController();

  const http1 = createHttp1Server(limits, tls);
  const http2 = createHttp2Server(limits);
  const exchanges = createExchanges(limits);
  const identify: Connections["identify"] = (socket, handle) => {
    connections.identify(socket, handle);
    certificates.identify(socket, handle);
  };
  const http1Connections = createHttp1Connections(limits, exchanges.http1Sockets);
  const sessions = trackHttp2Sessions(http2, limits, { isKnown: connections.isKnown, identify });
  const gateOptions = { handler, streamHandler, connections, isOver: certificates.isOver, exchanges, limits, onError };
  takeRequests(http1, http2, { ...gateOptions, portClosed: portClosed.signal });
  answerHttp1Errors(http1, exchanges, limits.lingerMs);
  routeConnections({ http1, http1Connections, sessions, identify, isTls: tls !== undefined, limits, draining });
  http1.on("connection", (socket: Socket) => {
    sockets.add(socket);
    certificates.accept(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  refuseConnections(http1, connections);

  /** Those that are in use end at a later check. */
  const closeOver = (): void => {
    sessions.closeWhere(certificates.isOver);
    http1Connections.closeWhere(certificates.isOver);
  };
  const checks = setInterval(() => {
    exchanges.check();
    sessions.check();
    closeOver();
    connections.check();
  }, limits.checkIntervalMs);
  checks.unref();

  const drainedParts = { http1, sockets, exchanges, http1Connections, sessions, drainCheckMs: limits.drainCheckMs, portClosed };
  let drained: Promise<void> | undefined;
  return {
    draining,
    async listen(host, port) {
      http1.listen({ host, port });
      await once(http1, "listening");
      // Not before: an address that cannot be used is the caller's to report.
      http1.on("error", onError);
      const bound = http1.address() as AddressInfo;
      return { address: bound.address, port: bound.port };
    },
    drain(forceAfterMs) {
      drainStart.abort();
      drained ??= drain(drainedParts, forceAfterMs).finally(() => clearInterval(checks));
      return drained;
    },
    connectionCount: () => sockets.size,
    replaceTls(newer) {
      replaceTls(http1, newer);
      if (certificates.replace(newer)) closeOver();
    },
  };
}

/** Passes every request of both servers to the gates. */
function takeRequests(http1: Server, http2: Http2Server, options: GateOptions): void {
  const http1Gate = createHttp1Gate(options);
  http1.on("request", http1Gate.request);
  http1.on("checkContinue", http1Gate.sendContinue);
  http1.on("checkExpectation", http1Gate.refuseExpectation);
  const http2Gate = createHttp2Gate(options);
  http2.on("request", http2Gate.request);
  http2.on("checkContinue", http2Gate.sendContinue);
  http2.on("checkExpectation", http2Gate.refuseExpectation);
  http2.on("connect", http2Gate.refuseConnect);
  takeStreams(http2, http2Gate.stream, http2Gate.enter);
}

const noCertificates: Pick<ClientCertificates, "accept" | "identify" | "isOver" | "replace"> = {
  accept: () => {},
  identify: () => {},
  isOver: () => false,
  replace: () => false,
};

/** Runs before everything else that the server does with a connection, including the TLS handshake. */
function refuseConnections(server: Server, connections: Connections): void {
  const listeners = server.listeners("connection") as ((this: Server, socket: Socket) => void)[];
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) => {
    if (connections.take(socket)) for (const listener of listeners) listener.call(server, socket);
    else socket.destroy();
  });
}
