import type { Server } from "node:http";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Connections } from "./connections.ts";
import { peekFirstBytes } from "./first-bytes.ts";

export interface RouterOptions {
  readonly http1: Server;
  readonly acceptHttp2: (socket: Socket) => void;
  readonly identify: Connections["identify"];
  readonly isTls: boolean;
  /** Time-out for the first bytes of a clear-text connection. */
  readonly timeoutMs: number;
  /** Replaces `timeoutMs` once the drain has begun. */
  readonly drainTimeoutMs: number;
  readonly draining: AbortSignal;
}

/**
 * Stands between the listening HTTP/1.1 server and its connections, and hands each to the server of its version: by ALPN over TLS, by the
 * first bytes in clear text. A connection that has sent nothing when the drain begins gets `drainTimeoutMs` more, because its first request
 * may be on its way.
 */
export function routeConnections({ http1, acceptHttp2, identify, isTls, timeoutMs, drainTimeoutMs, draining }: RouterOptions): void {
  const event = isTls ? "secureConnection" : "connection";
  const [acceptHttp1] = http1.listeners(event) as [(this: Server, socket: Socket) => void];
  http1.off(event, acceptHttp1);

  const toHttp1 = (socket: Socket): void => {
    identify(socket, socket);
    acceptHttp1.call(http1, socket);
    if (isTls) keepParserRunning(socket);
  };
  const toHttp2 = (socket: Socket): void => {
    // Sockets of an http server stay open when the peer ends: a client that closes would leave them in CLOSE_WAIT for good.
    socket.allowHalfOpen = false;
    acceptHttp2(socket);
  };

  if (isTls) {
    http1.on("secureConnection", (socket: TLSSocket) => {
      if (socket.alpnProtocol === "h2") toHttp2(socket);
      else toHttp1(socket);
    });
    return;
  }

  const undecided = new Set<Socket>();
  const destroyUndecided = (): void => {
    for (const socket of undecided) socket.destroy();
  };
  draining.addEventListener("abort", () => void setTimeout(destroyUndecided, drainTimeoutMs).unref());
  http1.on("connection", (socket: Socket) => {
    const forget = (): boolean => undecided.delete(socket);
    undecided.add(socket);
    socket.once("close", forget);
    peekFirstBytes(socket, timeoutMs, (version, head) => {
      socket.off("close", forget);
      forget();
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
