import type { Server } from "node:http";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { type Connections, connectionKey } from "./connections.ts";
import { peekFirstBytes } from "./first-bytes.ts";
import type { Http1Connections } from "./http1-connections.ts";
import type { Http2Sessions } from "./http2-sessions.ts";
import type { ListenerLimits } from "./limits.ts";

export interface RouterOptions {
  readonly http1: Server;
  readonly http1Connections: Pick<Http1Connections, "add">;
  readonly sessions: Pick<Http2Sessions, "accept">;
  readonly identify: Connections["identify"];
  readonly isTls: boolean;
  /** `headersTimeoutMs` limits the wait for the first bytes of a clear-text connection, and `lingerMs` once the drain has begun. */
  readonly limits: Pick<ListenerLimits, "headersTimeoutMs" | "lingerMs">;
  readonly draining: AbortSignal;
}

/**
 * Stands between the listening HTTP/1.1 server and its connections, and hands each to the server of its version: by ALPN over TLS, by the
 * first bytes in clear text. A connection whose version is unknown when the drain begins gets `lingerMs` more, because its first request
 * may be on its way.
 */
export function routeConnections(options: RouterOptions): void {
  const { http1, http1Connections, sessions, identify, isTls, limits } = options;
  const event = isTls ? "secureConnection" : "connection";
  const [acceptHttp1] = http1.listeners(event) as [(this: Server, socket: Socket) => void];
  http1.off(event, acceptHttp1);

  const toHttp1 = (socket: Socket): void => {
    identify(socket, socket);
    http1Connections.add(socket);
    acceptHttp1.call(http1, socket);
    if (isTls) keepParserRunning(socket);
  };
  const toHttp2 = (socket: Socket): void => {
    // Sockets of an http server stay open when the peer ends: a client that closes would leave them in CLOSE_WAIT for good.
    socket.allowHalfOpen = false;
    sessions.accept(socket);
  };

  const undecided = trackUndecided(options);
  if (isTls) {
    http1.on("connection", undecided.add);
    http1.on("secureConnection", (socket: TLSSocket) => {
      undecided.delete(socket);
      if (socket.alpnProtocol === "h2") toHttp2(socket);
      else toHttp1(socket);
    });
    return;
  }

  http1.on("connection", (socket: Socket) => {
    undecided.add(socket);
    peekFirstBytes(socket, limits.headersTimeoutMs, (version, head) => {
      undecided.delete(socket);
      if (version === "http2") {
        socket.pause();
        socket.unshift(head);
        toHttp2(socket);
      } else {
        toHttp1(socket);
        socket.emit("data", head);
      }
    });
  });
}

/** Connections whose version is unknown: they have sent too little, or their TLS handshake is not complete. */
function trackUndecided({ draining, limits }: RouterOptions) {
  const undecided = new Map<string, Socket>();
  // Timers run before sockets are read: after a pause of the process the first bytes may be there.
  const destroyAll = (): void => {
    for (const socket of undecided.values()) socket.destroy();
  };
  draining.addEventListener("abort", () => void setTimeout(() => setImmediate(destroyAll), limits.lingerMs).unref());
  return {
    add(socket: Socket): void {
      const key = connectionKey(socket);
      undecided.set(key, socket);
      socket.once("close", () => {
        if (undecided.get(key) === socket) undecided.delete(key);
      });
    },
    /** Takes a socket, or the TLS socket above it. */
    delete: (socket: Socket): boolean => undecided.delete(connectionKey(socket)),
  };
}

interface Parser {
  readonly socket: Socket | null;
  pause(): void;
}

/**
 * Node pauses the parser together with the socket while much of a response is unsent. Data that TLS has already decrypted still reaches the
 * parser, which fails with HPE_PAUSED, and the request is lost. Pausing only the socket also bounds what a client can send ahead.
 */
function keepParserRunning(socket: Socket): void {
  const { parser } = socket as Socket & { readonly parser?: Parser };
  if (parser == null || Object.hasOwn(parser, "pause")) return;
  const pause = parser.pause;
  // Node pools its parsers: this one may serve a clear-text connection later.
  parser.pause = function (this: Parser): void {
    if (!(this.socket instanceof TLSSocket)) pause.call(this);
  };
}
