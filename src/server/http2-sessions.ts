import { constants, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { Connections } from "./connections.ts";
import type { ListenerLimits } from "./limits.ts";
import { replaceStreamTable } from "./session-tables.ts";
import { canSendNotice, sendShutdownNotice } from "./shutdown-notice.ts";

/** The HTTP/2 connections, with the limits that Node does not have. */
export interface Http2Sessions {
  /** Hands a connection that speaks HTTP/2 to the server. */
  accept(socket: Socket): void;
  /** Checks the limits; call it every `checkIntervalMs`. */
  check(): void;
  /** Tells every client to open no more streams, and closes each connection when its streams have ended. */
  drain(): void;
  /**
   * Opens no more streams on the sessions for which `isOver` returns true, and closes each when its streams have ended. Clients may retry
   * the rest.
   */
  closeWhere(isOver: (session: ServerHttp2Session) => boolean): void;
}

interface Entry {
  readonly session: ServerHttp2Session;
  openStreams: number;
  /** SETTINGS and PING frames since the last check. */
  controlFrames: number;
  /** The client has sent its SETTINGS, its first frame. */
  greeted: boolean;
  /** Checks since the last stream ended. */
  idleChecks: number;
  /** Checks since the session ended. */
  overChecks: number;
  /** Streams that ended without a response, minus those that ended with one and those that were forgiven. A negative number is credit. */
  unansweredStreams: number;
}

export function trackHttp2Sessions(
  server: Http2Server,
  limits: ListenerLimits,
  connections: Pick<Connections, "identify" | "isKnown">,
): Http2Sessions {
  const entries = new Map<Socket, Entry>();
  let accepting: Socket | undefined;
  let isDraining = false;

  server.on("session", (session) => {
    if (accepting === undefined) return;
    replaceStreamTable(session);
    connections.identify(accepting, session);
    const entry = watch(session, limits.maxUnansweredStreams);
    entries.set(accepting, entry);
    if (isDraining) announceClose(accepting, entry, limits);
  });

  return {
    accept(socket) {
      socket.once("close", () => entries.delete(socket));
      // A session exposes its socket only through a proxy that cannot destroy it, so the socket is recorded at the hand-over.
      accepting = socket;
      server.emit("connection", socket);
      accepting = undefined;
    },
    check() {
      for (const [socket, entry] of entries) {
        checkEntry(socket, entry, connections.isKnown(entry.session) ? limits.sessionIdleMs : limits.anonymousIdleMs, limits);
      }
    },
    drain() {
      isDraining = true;
      for (const [socket, entry] of entries) announceClose(socket, entry, limits);
    },
    closeWhere(isOver) {
      for (const { session } of entries.values()) {
        if (!session.closed && !session.destroyed && isOver(session)) session.close();
      }
    },
  };
}

function watch(session: ServerHttp2Session, maxUnansweredStreams: number): Entry {
  const entry: Entry = {
    session,
    openStreams: 0,
    controlFrames: 0,
    greeted: false,
    idleChecks: 0,
    overChecks: 0,
    unansweredStreams: 0,
  };
  const streamEnded = (isAnswered: boolean): void => {
    if (isAnswered) entry.unansweredStreams = Math.max(-maxUnansweredStreams, entry.unansweredStreams - 1);
    else entry.unansweredStreams += 1;
    if (entry.unansweredStreams > maxUnansweredStreams) calm(session, "stream reset flood");
  };
  // Node sets `aborted` if a stream ends while our side is open, whoever ended it. A reset may also overtake a response that was already
  // sent.
  const streamClosed = function (this: ServerHttp2Stream): void {
    entry.openStreams -= 1;
    if (this.aborted || !this.writableEnded || this.rstCode !== constants.NGHTTP2_NO_ERROR) streamEnded(false);
    else if (this.writableFinished) streamEnded(true);
    else setImmediate(lastWriteEnded, this);
  };
  // A stream without trailers closes when its last frame is made, and is written a moment later. It never becomes `writableFinished`.
  const lastWriteEnded = ({ writableLength, errored }: ServerHttp2Stream): void => {
    streamEnded(writableLength === 0 && errored === null);
  };
  session.on("ping", () => {
    entry.controlFrames += 1;
  });
  session.on("remoteSettings", () => {
    entry.controlFrames += 1;
    entry.greeted = true;
  });
  session.on("stream", (stream) => {
    // The client reset it before its turn; its `close` event may have passed.
    if (stream.destroyed) return streamEnded(false);
    entry.openStreams += 1;
    stream.on("close", streamClosed);
  });
  return entry;
}

function checkEntry(socket: Socket, entry: Entry, sessionIdleMs: number, limits: ListenerLimits): void {
  const { checkIntervalMs } = limits;
  const { session } = entry;
  if (entry.controlFrames > limits.maxControlFrames) calm(session, "control frame flood");
  entry.controlFrames = 0;
  entry.idleChecks = entry.openStreams > 0 ? 0 : entry.idleChecks + 1;
  if (entry.unansweredStreams > 0) {
    const forgiven = entry.openStreams + (limits.unansweredStreamsPerSecond * checkIntervalMs) / 1000;
    entry.unansweredStreams = Math.max(0, entry.unansweredStreams - forgiven);
  }

  if (session.destroyed || (session.closed && entry.openStreams === 0)) {
    // Node waits without limit for the peer to read the rest and to close.
    entry.overChecks += 1;
    if (entry.overChecks * checkIntervalMs > limits.lingerMs) socket.destroy();
  } else if (entry.idleChecks * checkIntervalMs >= (entry.greeted ? sessionIdleMs : limits.headersTimeoutMs)) {
    session.close();
  }
}

function calm(session: ServerHttp2Session, reason: string): void {
  if (!session.destroyed) session.destroy(new Error(reason), constants.NGHTTP2_ENHANCE_YOUR_CALM);
}

/**
 * Over clear text, sends two GOAWAYs with a round trip between them, so that no request in transit is lost. Waits longer for a client that
 * has sent something than for a silent one. Over TLS the only GOAWAY names the last stream that was accepted, so that clients may retry the
 * rest.
 */
function announceClose(socket: Socket, entry: Entry, { lingerMs, goawayPatienceMs, drainCheckMs }: ListenerLimits): void {
  const { session } = entry;
  if (session.closed || session.destroyed) return;
  const close = (): void => session.close();
  if (!canSendNotice(socket)) {
    close();
    return;
  }
  // Timers run before sockets are read: after a pause of the process the round trip may be complete.
  const silent = setTimeout(() => setImmediate(() => entry.greeted || close()), lingerMs);
  const slow = setTimeout(() => setImmediate(close), goawayPatienceMs);
  let again: NodeJS.Timeout | undefined;
  session.once("close", () => {
    for (const timer of [silent, slow, again]) clearTimeout(timer);
  });
  const announce = (): void => {
    if (session.closed || session.destroyed) return;
    if (sendShutdownNotice(socket)) session.ping(close);
    else again = setTimeout(announce, drainCheckMs);
  };
  // Our first frame must be SETTINGS, which Node sends later.
  if (session.pendingSettingsAck) session.once("localSettings", announce);
  else announce();
}
