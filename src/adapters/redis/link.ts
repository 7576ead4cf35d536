import { readClusterView } from "./cluster.ts";
import { type ConnectionOptions, openConnection, readDataSet } from "./connection.ts";
import { UnusableServerError } from "./failures.ts";
import { cacheIdOf } from "./names.ts";
import type { ScriptedRedis } from "./scripts.ts";
import { slotOf } from "./slot.ts";
import { withTimeout } from "./timeout.ts";
import type { Servers, Topology } from "./topology.ts";
import type { RedisAddress } from "./uri.ts";

/** Connections to all servers of the cache, each of which has been identified, and a subscription at one of them. */
export interface Link {
  readonly cacheId: string;
  readonly isCluster: boolean;
  /** Returns the connection to the server that holds this key or channel. */
  nodeOf(name: string): ScriptedRedis;
  /** Call it once. Earlier messages are dropped. */
  attach(events: LinkEvents): void;
  close(): void;
}

export interface LinkEvents {
  readonly onMessage: (message: string) => void;
  /** Called at most once, when the link must no longer be used. The caller must still close the link. */
  readonly onLost: (reason: unknown) => void;
}

export interface LinkOptions extends ConnectionOptions {
  readonly channel: string;
  /** Time-out of a command on an open link. While the link is being opened, `connectTimeoutMs` applies instead. */
  readonly timeoutMs: number;
  /** Interval at which the servers are identified again. */
  readonly recheckMs: number;
}

interface Node {
  readonly address: RedisAddress;
  readonly client: ScriptedRedis;
}

/**
 * Opens a link. No command is sent on a connection before its server has been identified. The whole link is lost if any of its connections
 * is lost, or if the servers behind them change.
 */
export async function openLink(topology: Topology, options: LinkOptions): Promise<Link> {
  const { channel } = options;
  const servers = await topology.find();
  const clients: ScriptedRedis[] = [];
  let events: LinkEvents | null = null;
  let lost: { readonly reason: unknown } | null = null;
  let recheck: NodeJS.Timeout | undefined;

  const close = () => {
    lost ??= { reason: new UnusableServerError("the link was closed") };
    clearTimeout(recheck);
    for (const client of clients) client.disconnect();
  };
  const lose = (reason: unknown) => {
    if (lost !== null) return;
    lost = { reason };
    events?.onLost(reason);
  };
  const open = async (address: RedisAddress): Promise<Node> => {
    const client = await openConnection(address, options);
    clients.push(client);
    client.once("close", () => lose(new UnusableServerError("a connection was closed")));
    return { address, client };
  };

  try {
    const masters = await allOrNone(servers.masters.map(open));
    const at = (name: string) => masters[servers.cluster === null ? 0 : (servers.cluster.masterBySlot[slotOf(name)] as number)] as Node;
    const subscriber = await open(at(channel).address);
    const [cacheId, mine, theirs] = await Promise.all([
      identify(masters, servers, options.db, options.connectTimeoutMs),
      withTimeout(options.connectTimeoutMs, readDataSet(at(channel).client)),
      withTimeout(options.connectTimeoutMs, readDataSet(subscriber.client)),
    ]);
    if (mine !== theirs) throw new UnusableServerError("two connections lead to different servers");
    const isCluster = servers.cluster !== null;
    subscriber.client.on(isCluster ? "smessage" : "message", (_channel: string, message: string) => events?.onMessage(message));
    subscriber.client.on("moved", () => lose(new UnusableServerError("the slots of the cluster are moving")));
    await withTimeout(options.connectTimeoutMs, subscribe(subscriber.client, channel, isCluster));

    const moved = () => lose(new UnusableServerError("the cache is held by other servers now"));
    let asking = false;
    // Runs beside the check: sentinels that do not answer must not delay the question to the servers themselves.
    const askOthers = async () => {
      if (asking) return;
      asking = true;
      if (!(await topology.stillHolds(servers))) moved();
      asking = false;
    };
    const check = async () => {
      void askOthers();
      try {
        const [now] = await Promise.all([
          identify(masters, servers, options.db, options.timeoutMs),
          withTimeout(options.timeoutMs, subscriber.client.ping()),
        ]);
        if (now !== cacheId) moved();
        if (lost === null) recheck = setTimeout(() => void check(), options.recheckMs);
      } catch (error) {
        lose(error);
      }
    };
    recheck = setTimeout(() => void check(), options.recheckMs);

    return {
      cacheId,
      isCluster,
      nodeOf: (name) => at(name).client,
      attach(to) {
        events = to;
        if (lost !== null) to.onLost(lost.reason);
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
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
