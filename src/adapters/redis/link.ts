import { readClusterView } from "./cluster.ts";
import { type ConnectionOptions, readDataSet, readEvictionPolicy } from "./connection.ts";
import { UnusableServerError } from "./failures.ts";
import { createLinkConnections, type LinkConnections, type LinkListener, type Node } from "./link-connections.ts";
import { cacheIdOf } from "./names.ts";
import type { ScriptedRedis } from "./scripts.ts";
import { slotOf } from "./slot.ts";
import { withTimeout } from "./timeout.ts";
import type { Servers, Topology } from "./topology.ts";

/** Connections to all servers of the cache, each of which has been identified, and a subscription at one of them. */
export interface Link {
  readonly cacheId: string;
  readonly isCluster: boolean;
  /** The policy by which a server may evict entries; null if none does. */
  readonly evictionPolicy: string | null;
  /** Returns the connection to the server that holds this key or channel. */
  nodeOf(name: string): ScriptedRedis;
  /** Call it once. Earlier messages are dropped. */
  attach(listener: LinkListener): void;
  close(): void;
}

export interface LinkOptions extends ConnectionOptions {
  readonly channel: string;
  /** Time-out of a command on an open link. While the link is being opened, `connectTimeoutMs` applies instead. */
  readonly timeoutMs: number;
  /** Interval at which the servers are identified again. */
  readonly recheckMs: number;
}

/**
 * Opens a link. No command is sent on a connection before its server has been identified. The whole link is lost if any of its connections
 * is lost, or if the servers behind them change.
 */
export async function openLink(topology: Topology, options: LinkOptions): Promise<Link> {
  const { channel, connectTimeoutMs } = options;
  const servers = await topology.find();
  const connections = createLinkConnections(options);
  const { lose } = connections;
  try {
    const masters = await allOrNone(servers.masters.map(connections.open));
    const at = (name: string) => masters[servers.cluster === null ? 0 : (servers.cluster.masterBySlot[slotOf(name)] as number)] as Node;
    const subscriber = await connections.open(at(channel).address);
    const [cacheId, mine, theirs, policies] = await Promise.all([
      identify(masters, servers, options.db, connectTimeoutMs),
      withTimeout(connectTimeoutMs, readDataSet(at(channel).client)),
      withTimeout(connectTimeoutMs, readDataSet(subscriber.client)),
      withTimeout(connectTimeoutMs, Promise.all(masters.map(({ client }) => readEvictionPolicy(client)))),
    ]);
    if (mine !== theirs) throw new UnusableServerError("two connections lead to different servers");
    const isCluster = servers.cluster !== null;
    subscriber.client.on(isCluster ? "smessage" : "message", (_channel: string, message: string) => connections.pass(message));
    subscriber.client.on("moved", () => lose(new UnusableServerError("the slots of the cluster are moving")));
    await withTimeout(connectTimeoutMs, subscribe(subscriber.client, channel, isCluster));

    const identifyAgain = async () => {
      const { db, timeoutMs } = options;
      const [now] = await Promise.all([identify(masters, servers, db, timeoutMs), withTimeout(timeoutMs, subscriber.client.ping())]);
      return now === cacheId;
    };
    const stop = recheck(connections, options.recheckMs, identifyAgain, () => topology.stillHolds(servers));
    const close = () => {
      stop();
      connections.close();
    };
    const evictionPolicy = policies.find((policy) => policy !== null) ?? null;
    return { cacheId, isCluster, evictionPolicy, nodeOf: (name) => at(name).client, attach: connections.attach, close };
  } catch (error) {
    connections.close();
    throw error;
  }
}

/** Loses the link when the servers behind it change. Returns a function that ends the checks. */
function recheck(
  connections: LinkConnections,
  intervalMs: number,
  identifyAgain: () => Promise<boolean>,
  stillHolds: () => Promise<boolean>,
): () => void {
  const moved = () => connections.lose(new UnusableServerError("the cache is held by other servers now"));
  let isAsking = false;
  // Runs beside the check: sentinels that do not answer must not delay the question to the servers themselves.
  const askOthers = async () => {
    if (isAsking) return;
    isAsking = true;
    if (!(await stillHolds())) moved();
    isAsking = false;
  };
  const check = async () => {
    void askOthers();
    try {
      if (!(await identifyAgain())) moved();
      if (!connections.isLost) timer = setTimeout(() => void check(), intervalMs);
    } catch (error) {
      connections.lose(error);
    }
  };
  let timer = setTimeout(() => void check(), intervalMs);
  return () => clearTimeout(timer);
}

/** Returns the cache id. Rejects if a server cannot be used, or disagrees with the others about the cluster. */
async function identify(masters: readonly Node[], { cluster }: Servers, db: number, timeoutMs: number): Promise<string> {
  const ask = async ({ address, client }: Node): Promise<string> => {
    const [dataSet, view] = await Promise.all([readDataSet(client), cluster === null ? null : readClusterView(client, address)]);
    if (view?.fingerprint !== cluster?.fingerprint) throw new UnusableServerError("the slots of the cluster are moving");
    return dataSet;
  };
  return cacheIdOf(await Promise.all(masters.map((node) => withTimeout(timeoutMs, ask(node)))), db);
}

/** Uses sharded pub/sub in a cluster: one node sends all messages in one order. A broadcast over the cluster would not keep the order. */
function subscribe(client: ScriptedRedis, channel: string, sharded: boolean): Promise<unknown> {
  return sharded ? client.ssubscribe(channel) : client.subscribe(channel);
}

/** Waits for all, even if one fails, so that none is left half open. */
async function allOrNone<T>(work: readonly Promise<T>[]): Promise<T[]> {
  const outcomes = await Promise.allSettled(work);
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return outcomes.map((outcome) => (outcome as PromiseFulfilledResult<T>).value);
}
