/** Limits on what one client may use. Times in milliseconds, sizes in bytes unless the name says otherwise. */
export interface ListenerLimits {
  /** Maximum open connections, HTTP/1.1 and HTTP/2 together. Further ones are closed immediately. One address gets at most half of them. */
  readonly maxConnections: number;
  /** Maximum connections per address (IPv6: per /64) that have not yet carried a call with a valid token. */
  readonly maxConnectionsPerAddress: number;
  /** These last places are reserved for addresses with fewer than `reservedPerAddress` connections, such as health probes. */
  readonly reservedConnections: number;
  /** The same for requests: of the last `maxAnonymousRequests`, for addresses with fewer than `reservedPerAddress` in progress. */
  readonly reservedRequests: number;
  readonly reservedPerAddress: number;
  /**
   * Maximum requests in progress on connections that have not yet carried a call with a valid token; `PerAddress` is the part of one
   * address.
   */
  readonly maxAnonymousRequests: number;
  readonly maxAnonymousRequestsPerAddress: number;
  /** Maximum requests that one HTTP/1.1 connection may send ahead of their responses. */
  readonly maxPipelinedRequests: number;
  /** Maximum size of all header lines of a request together. HTTP/2 announces it as SETTINGS_MAX_HEADER_LIST_SIZE. */
  readonly maxHeaderBytes: number;
  readonly maxHeaderCount: number;
  /** Maximum time from the first byte of a connection or request to the end of its headers. The TLS handshake has the same limit. */
  readonly headersTimeoutMs: number;
  /**
   * Maximum time from the first byte of a request to its last, and so the maximum life of a stream of requests. At least
   * `headersTimeoutMs`.
   */
  readonly requestTimeoutMs: number;
  /** Maximum time for a client to read a complete response, or as much of an incomplete one as may wait for it. */
  readonly responseTimeoutMs: number;
  /** Maximum time that an HTTP/1.1 connection may wait for its next request. */
  readonly keepAliveIdleMs: number;
  /** Maximum time that an HTTP/2 session may have no open stream, whatever else it sends. */
  readonly sessionIdleMs: number;
  /** Replaces both idle times until the first call with a valid token. */
  readonly anonymousIdleMs: number;
  readonly maxStreamsPerSession: number;
  /** Maximum memory that Node uses for one session: header tables, queues, frames not yet processed. Megabytes (10^6). */
  readonly maxSessionMemoryMegabytes: number;
  /** Maximum invalid frames before a session is closed. */
  readonly maxInvalidFrames: number;
  /** Maximum entries in one SETTINGS frame. */
  readonly maxSettingsEntries: number;
  /** Maximum SETTINGS and PING frames per `checkIntervalMs` before a session is closed. */
  readonly maxControlFrames: number;
  /** Maximum PINGs of ours without an answer. */
  readonly maxOutstandingPings: number;
  /**
   * Maximum HTTP/2 streams of a session that end without a response, beyond those that end with one (CVE-2023-44487, CVE-2025-8671). So a
   * client that completes most of its calls may cancel the others.
   */
  readonly maxUnansweredStreams: number;
  /** Number of them forgiven per second, in addition to the number of streams open at the last check. */
  readonly unansweredStreamsPerSecond: number;
  /** How long a socket stays open so that its peer can read the last response. In a drain, how long a new connection may send nothing. */
  readonly lingerMs: number;
  /** In a drain, how long an HTTP/1.1 connection without a request stays open after the last byte: its next request may be in transit. */
  readonly drainQuietMs: number;
  /** Interval at which a drain looks for such connections. */
  readonly drainCheckMs: number;
  /** In a drain, how long an HTTP/2 session waits until its client has read that it closes. Streams that arrive later are not answered. */
  readonly goawayPatienceMs: number;
  /** Interval at which time-outs are checked. A time-out may be late by this much. */
  readonly checkIntervalMs: number;
  /** Refused connections are reported at most once per this time. */
  readonly refusalReportMs: number;
}

export const defaultLimits: ListenerLimits = {
  maxConnections: 10_000,
  maxConnectionsPerAddress: 1000,
  reservedConnections: 100,
  reservedRequests: 400,
  reservedPerAddress: 8,
  maxAnonymousRequests: 4000,
  maxAnonymousRequestsPerAddress: 1000,
  maxPipelinedRequests: 100,
  maxHeaderBytes: 16 * 1024,
  maxHeaderCount: 100,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  responseTimeoutMs: 30_000,
  keepAliveIdleMs: 65_000,
  sessionIdleMs: 300_000,
  anonymousIdleMs: 10_000,
  maxStreamsPerSession: 100,
  maxSessionMemoryMegabytes: 10,
  maxInvalidFrames: 100,
  maxSettingsEntries: 32,
  maxControlFrames: 1000,
  maxOutstandingPings: 10,
  maxUnansweredStreams: 1000,
  unansweredStreamsPerSecond: 100,
  lingerMs: 1000,
  drainQuietMs: 100,
  drainCheckMs: 50,
  goawayPatienceMs: 5000,
  checkIntervalMs: 1000,
  refusalReportMs: 60_000,
};
