import { constants } from "node:crypto";
import type { Server, ServerOptions } from "node:http";
import { createServer as createHttp2, type Http2Server } from "node:http2";
import { createServer as createHttps, Server as HttpsServer } from "node:https";
import type { SecureContextOptions } from "node:tls";
import { nodeHttp } from "../http/node-http.ts";
import type { ListenerLimits } from "./limits.ts";
import type { TlsMaterial } from "./tls/tls-material.ts";

/** The HTTP/1.1 server, over TLS if a certificate is given. It then offers HTTP/2 in ALPN, but does not speak it. */
export function createHttp1Server(limits: ListenerLimits, tls: TlsMaterial | undefined): Server {
  const options: ServerOptions = {
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveIdleMs,
    connectionsCheckingInterval: limits.checkIntervalMs,
    insecureHTTPParser: false,
    // Node would refuse a missing Host header without a body; the gate refuses it with one.
    requireHostHeader: false,
    // TCP keep-alive, for peers that vanish while a stream is open.
    keepAlive: true,
    keepAliveInitialDelay: limits.keepAliveIdleMs,
  };
  const server = tls === undefined ? nodeHttp.createServer(options) : createHttps({ ...options, ...tlsOptions(limits, tls) });
  // Node silently drops lines beyond its limit, so it gets one more than the gate allows.
  server.maxHeadersCount = limits.maxHeaderCount + 1;
  // The server calls it when it closes. See createHttp1Connections.
  server.closeIdleConnections = () => {};
  return server;
}

function tlsOptions(limits: ListenerLimits, tls: TlsMaterial) {
  return {
    ...contextOptions(tls),
    ALPNProtocols: ["h2", "http/1.1"],
    handshakeTimeout: limits.headersTimeoutMs,
    requestCert: tls.clientCa !== undefined,
    // The connection stays open, so that its calls are told the reason (client-certificates.ts). Node would also refuse clients without a
    // certificate.
    rejectUnauthorized: false,
  };
}

/** New connections use the new material. */
export function replaceTls(server: Server, tls: TlsMaterial): void {
  if (server instanceof HttpsServer) server.setSecureContext(contextOptions(tls));
}

function contextOptions({ cert, key, clientCa, clientCrl }: TlsMaterial): SecureContextOptions {
  if (clientCa === undefined) return { cert, key };
  // A resumed session would use a certificate that was verified earlier, with other authorities or before its chain expired.
  const secureOptions = constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION;
  return { cert, key, ca: [...clientCa], secureOptions, ...(clientCrl && { crl: [...clientCrl.pems] }) };
}

const maxUint32 = 2 ** 32 - 1;

/** The HTTP/2 server. It never listens: connections are handed to it. */
export function createHttp2Server(limits: ListenerLimits): Http2Server {
  return createHttp2({
    settings: { maxConcurrentStreams: limits.maxStreamsPerSession, maxHeaderListSize: limits.maxHeaderBytes },
    maxSessionMemory: limits.maxSessionMemoryMegabytes,
    maxHeaderListPairs: limits.maxHeaderCount,
    maxSettings: limits.maxSettingsEntries,
    maxOutstandingPings: limits.maxOutstandingPings,
    maxSessionInvalidFrames: limits.maxInvalidFrames,
    // Off, because it ends clients that cancel calls honestly, and with INTERNAL_ERROR. See http2-sessions.ts.
    streamResetBurst: maxUint32,
    streamResetRate: maxUint32,
    // Otherwise Node silently drops a header with white space at its end, which may be X-Forwarded-For; HTTP/1.1 trims it.
    strictFieldWhitespaceValidation: false,
  });
}
