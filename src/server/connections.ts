import type { Socket } from "node:net";
import type { Writable } from "node:stream";
import type { ListenerLimits } from "./limits.ts";
import { abort } from "./sink.ts";

/** One client connection. */
export interface Connection {
  /**
   * True if the connection carried a call with a valid token, or its peer is a trusted proxy. Other connections are anonymous: they share
   * the places of their address, have shorter time-outs, and may have fewer requests.
   */
  isKnown: boolean;
  /** The share that it counts towards; null for a trusted proxy, which has many clients behind it. */
  readonly share: Share | null;
}

/** The connections of one address together. */
interface Share {
  readonly network: string;
  connections: number;
  anonymousConnections: number;
  anonymousRequests: number;
}

/**
 * How many connections were refused since the last report, because the `address` used up its share or the `process` has no place left, and
 * how many anonymous ones were closed to make room for others (`displaced`).
 */
export interface RefusedConnections {
  readonly address: number;
  readonly process: number;
  readonly displaced: number;
  /** The network of the connection that was refused last: an IPv4 address or an IPv6 /64. Empty if none was. */
  readonly lastNetwork: string;
}

export interface ConnectionsOptions {
  readonly limits: Pick<
    ListenerLimits,
    | "maxConnections"
    | "maxConnectionsPerAddress"
    | "reservedConnections"
    | "reservedRequests"
    | "reservedPerAddress"
    | "maxAnonymousRequests"
    | "maxAnonymousRequestsPerAddress"
    | "checkIntervalMs"
    | "refusalReportMs"
  >;
  /** Returns the network whose share a connection counts towards; null for a trusted proxy. */
  readonly shareOf: (remoteAddress: string) => string | null;
  /** Called after a refusal, at most once per `refusalReportMs`. */
  readonly onRefused: (refused: RefusedConnections) => void;
}

/** Counts connections. HTTP/1.1 requests know their connection by its socket, HTTP/2 streams by its session. */
export interface Connections {
  /**
   * Takes a place until the socket closes. Returns false if no place is free for it. If all are taken, the connection that has been
   * anonymous for longest makes room for a trusted proxy, for an address that has shown a valid token, and for one with few connections.
   * Otherwise those who hold many addresses would keep all places.
   */
  take(socket: Socket): boolean;
  /** From now on `handle` stands for this socket's connection: the socket itself, the TLS socket above it, or the HTTP/2 session. */
  identify(socket: Socket, handle: object): void;
  isKnown(handle: object): boolean;
  /** Records that the connection carried a call with a valid token. */
  setKnown(handle: object): void;
  /** Counts a request until its response closes. Returns false if anonymous connections have too many requests in progress. */
  takeRequest(handle: object, answer: Writable): boolean;
  /** Reports refusals; call it every `checkIntervalMs`. */
  check(): void;
  /** Returns the number of open connections. */
  count(): number;
  /** Connections refused and displaced since the start. */
  readonly refusedCount: Omit<RefusedConnections, "lastNetwork">;
}

export function createConnections({ limits, shareOf, onRefused }: ConnectionsOptions): Connections {
  const shares = new Map<string, Share>();
  const open = new Map<string, Connection>();
  const handles = new WeakMap<object, Connection>();
  /** Ends the connection, for each anonymous one, oldest first. */
  const displacements = new Map<Connection, () => void>();
  const refusals = createRefusals(limits, onRefused);
  const takeAnonymousRequest = createRequestPlaces(limits);
  let count = 0;

  return {
    take(socket) {
      const network = shareOf(socket.remoteAddress ?? "");
      const share = network === null ? null : (shares.get(network) ?? newShare(network));
      const refusal = refusalFor(share, count, limits);
      const [displaceOldest] = refusal === "process" && mayDisplace(share, limits) ? displacements.values() : [];
      if (displaceOldest !== undefined) {
        refusals.addDisplaced();
        displaceOldest();
      } else if (refusal !== undefined) {
        refusals.add(refusal, network ?? socket.remoteAddress ?? "");
        return false;
      }
      const connection: Connection = { isKnown: share === null, share };
      const key = connectionKey(socket);
      open.set(key, connection);
      count += 1;
      const release = (): void => {
        socket.off("close", release);
        displacements.delete(connection);
        count -= 1;
        if (open.get(key) === connection) open.delete(key);
        if (share === null) return;
        share.connections -= 1;
        if (!connection.isKnown) share.anonymousConnections -= 1;
        if (share.connections === 0) shares.delete(share.network);
      };
      socket.on("close", release);
      if (share === null) return true;
      share.connections += 1;
      share.anonymousConnections += 1;
      shares.set(share.network, share);
      displacements.set(connection, () => {
        release();
        socket.destroy();
      });
      return true;
    },
    identify(socket, handle) {
      const connection = open.get(connectionKey(socket));
      if (connection !== undefined) handles.set(handle, connection);
    },
    isKnown: (handle) => handles.get(handle)?.isKnown === true,
    setKnown(handle) {
      const connection = handles.get(handle);
      // A call may end after its connection.
      if (connection === undefined || connection.share === null || !displacements.delete(connection)) return;
      connection.isKnown = true;
      connection.share.anonymousConnections -= 1;
    },
    takeRequest(handle, answer) {
      const connection = handles.get(handle);
      if (connection === undefined || connection.isKnown || connection.share === null) return true;
      return takeAnonymousRequest(connection, connection.share, answer);
    },
    check: refusals.check,
    count: () => count,
    refusedCount: refusals.count,
  };
}

/**
 * Returns a function that counts a request on an anonymous connection until its response closes, or returns false if there are too many. If
 * all places are taken, the oldest request makes room for an address with few, as with connections.
 */
function createRequestPlaces(limits: ConnectionsOptions["limits"]): (connection: Connection, share: Share, answer: Writable) => boolean {
  /** Of the requests in progress, oldest first. */
  const answers = new Map<Writable, Connection>();
  const hasMadeRoom = (): boolean => {
    const [oldest] = answers;
    if (oldest === undefined) return false;
    const [answer, { isKnown }] = oldest;
    answers.delete(answer);
    // A call with a valid token goes on, and needs no place.
    if (!isKnown) abort(answer);
    return true;
  };

  return (connection, share, answer) => {
    if (share.anonymousRequests >= limits.maxAnonymousRequestsPerAddress) return false;
    // A client with a valid token is anonymous too in its first request, so a few addresses must not take all places.
    const isReserved = share.anonymousRequests < limits.reservedPerAddress;
    const isFull = answers.size >= limits.maxAnonymousRequests - (isReserved ? 0 : limits.reservedRequests);
    if (isFull && !(isReserved && hasMadeRoom())) return false;
    answers.set(answer, connection);
    share.anonymousRequests += 1;
    answer.on("close", () => {
      answers.delete(answer);
      share.anonymousRequests -= 1;
    });
    return true;
  };
}

/** Returns why a connection of this share gets no place while `count` are open. */
function refusalFor(share: Share | null, count: number, limits: ConnectionsOptions["limits"]): "address" | "process" | undefined {
  // A valid token does not entitle one address to all places either.
  const hasAll =
    share !== null && (share.anonymousConnections >= limits.maxConnectionsPerAddress || share.connections >= limits.maxConnections / 2);
  if (hasAll) return "address";
  const isReserved = share !== null && share.connections < limits.reservedPerAddress;
  return count >= limits.maxConnections - (isReserved ? 0 : limits.reservedConnections) ? "process" : undefined;
}

/**
 * Strangers with many connections displace nobody, or else a few addresses could close the connections of all others. An address that has
 * shown a valid token may have as many anonymous connections as known ones.
 */
function mayDisplace(share: Share | null, { reservedPerAddress }: ConnectionsOptions["limits"]): boolean {
  if (share === null) return true;
  const { connections, anonymousConnections } = share;
  return anonymousConnections < Math.max(connections - anonymousConnections, reservedPerAddress);
}

function newShare(network: string): Share {
  return { network, connections: 0, anonymousConnections: 0, anonymousRequests: 0 };
}

/** The same for a socket and for the TLS socket above it, which does not expose it. */
export function connectionKey({ localAddress, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${remoteAddress} ${remotePort}`;
}

function createRefusals({ checkIntervalMs, refusalReportMs }: ConnectionsOptions["limits"], onRefused: ConnectionsOptions["onRefused"]) {
  const count = { address: 0, process: 0, displaced: 0 };
  let reported = { ...count };
  let lastNetwork = "";
  let checksUntilReport = 0;
  return {
    count,
    add(reason: "address" | "process", network: string): void {
      count[reason] += 1;
      lastNetwork = network;
    },
    addDisplaced(): void {
      count.displaced += 1;
    },
    check(): void {
      checksUntilReport -= 1;
      if (checksUntilReport > 0) return;
      const address = count.address - reported.address;
      const process = count.process - reported.process;
      const displaced = count.displaced - reported.displaced;
      if (address + process + displaced === 0) return;
      checksUntilReport = refusalReportMs / checkIntervalMs;
      reported = { ...count };
      onRefused({ address, process, displaced, lastNetwork });
      lastNetwork = "";
    },
  };
}
