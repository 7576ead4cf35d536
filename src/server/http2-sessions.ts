import { constants, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { ListenerLimits } from "./limits.ts";

/** The HTTP/2 connections, with the limits that Node does not have. */
export interface Http2Sessions {
  /** Hands a connection whose first bytes are an HTTP/2 preface to the server. */
  accept(socket: Socket): void;
  /** Looks at the time-outs; to be called every `checkIntervalMs`. */
  check(): void;
  /** Tells every client to open no more streams, and closes each connection when its streams are done. */
  drain(): void;
}

interface Entry {
  readonly session: ServerHttp2Session;
  openStreams: number;
  /** Since the last check. */
  controlFrames: number;
  /** Checks since the last stream ended, or since the session did. */
  idleChecks: number;
}

/** The highest stream id there is: a GOAWAY with it says "about to close" and still takes what is on its way (RFC 9113, section 6.8). */
const lastStreamIdOfAll = 2 ** 31 - 1;

export function trackHttp2Sessions(server: Http2Server, limits: ListenerLimits): Http2Sessions {
  const entries = new Map<Socket, Entry>();
  let accepting: Socket | undefined;

  server.on("session", (session) => {
    if (accepting !== undefined) entries.set(accepting, watch(session));
  });

  return {
    accept(socket) {
      socket.once("close", () => entries.delete(socket));
      // The session knows its socket only through a proxy that hides what is needed here, so it is taken down at the hand-over.
      accepting = socket;
      server.emit("connection", socket);
      accepting = undefined;
    },
    check() {
      for (const [socket, entry] of entries) checkEntry(socket, entry, limits);
    },
    drain() {
      for (const { session } of entries.values()) announceClose(session, limits.lingerMs);
    },
  };
}

function watch(session: ServerHttp2Session): Entry {
  const entry: Entry = { session, openStreams: 0, controlFrames: 0, idleChecks: 0 };
  const count = (): void => {
    entry.controlFrames += 1;
  };
  const streamClosed = (): void => {
    entry.openStreams -= 1;
  };
  session.on("ping", count);
  session.on("remoteSettings", count);
  session.on("stream", (stream) => {
    entry.openStreams += 1;
    stream.once("close", streamClosed);
  });
  return entry;
}

function checkEntry(socket: Socket, entry: Entry, limits: ListenerLimits): void {
  const { session } = entry;
  if (entry.controlFrames > limits.maxControlFrames) session.destroy(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  entry.controlFrames = 0;
  entry.idleChecks = entry.openStreams > 0 ? 0 : entry.idleChecks + 1;
  const idleMs = entry.idleChecks * limits.checkIntervalMs;
  // A session that has ended waits for its peer to read and close, for as long as that takes.
  if ((session.closed || session.destroyed) && idleMs >= limits.lingerMs) socket.destroy();
  else if (!session.closed && idleMs >= limits.sessionIdleMs) {
    entry.idleChecks = 0;
    session.close();
  }
}

/** Two GOAWAYs with a round trip between them, so that no request that is on its way is lost. */
function announceClose(session: ServerHttp2Session, patienceMs: number): void {
  if (session.closed || session.destroyed) return;
  const close = (): void => session.close();
  const timer = setTimeout(close, patienceMs);
  session.once("close", () => clearTimeout(timer));
  session.goaway(constants.NGHTTP2_NO_ERROR, lastStreamIdOfAll);
  session.ping(close);
}
