import type { Log } from "../../ports/log.ts";
import { concernsOneCommand, describeError } from "./failures.ts";
import { type Link, type LinkOptions, openLink } from "./link.ts";
import { keepLink, type LinkEvents } from "./link-keeper.ts";
import { createNames } from "./names.ts";
import { withTimeout } from "./timeout.ts";
import { createTopology } from "./topology.ts";
import { parseRedisUri } from "./uri.ts";

export interface RedisOptions {
  /**
   * Identifies the store whose keys are cached; contains no braces. Processes of one store use the same namespace, processes of another
   * store use another.
   */
  readonly namespace: string;
  /** See uri.ts. */
  readonly uri: string;
  /** Time-out of every command. Must be shorter than that of a store read. */
  readonly timeoutMs?: number;
  /** Time-out of opening a connection, which no request waits for. */
  readonly connectTimeoutMs?: number;
  /** Interval at which the process checks that the servers are still the same. */
  readonly recheckMs?: number;
  /** Certificates to trust for TLS instead of the system's, in PEM. */
  readonly tlsCa?: string | Buffer;
  readonly clock?: () => number;
  readonly monotonicMs?: () => number;
  readonly random?: () => number;
  readonly log?: Pick<Log, "info" | "warn">;
}

/**
 * The link to the servers, which may be lost and opened again. All users of Redis in this process share it, so if one finds it lost, the
 * others need not wait.
 */
export interface Circuit {
  /** Null while there is no link. */
  readonly link: Link | null;
  /** Runs commands on the current link. Returns null if there is no link, or if they did not all succeed in time. */
  attempt<T>(commands: (link: Link) => Promise<T>): Promise<{ readonly link: Link; readonly result: T } | null>;
  /** Call it once. */
  attach(events: LinkEvents): void;
  close(): void;
}

const complaintIntervalMs = 60_000;
const silent = { info() {}, warn() {} };

/**
 * Connects in the background, outside of requests. If a command times out, the connection is dropped at once, and a new one is tried after
 * 250 ms, later up to 1 s. Throws only for a malformed URI.
 */
export function startCircuit(options: RedisOptions): Circuit {
  const { timeoutMs = 100, connectTimeoutMs = 1000, recheckMs = 500 } = options;
  const { monotonicMs = () => performance.now(), random = Math.random, log = silent } = options;
  const target = parseRedisUri(options.uri);
  const connection = { login: target.login, db: target.db, tls: target.tls, tlsCa: options.tlsCa, connectTimeoutMs };
  const linkOptions: LinkOptions = { ...connection, channel: createNames(options.namespace).channel, timeoutMs, recheckMs };
  const topology = createTopology(target, connection, timeoutMs);
  const keeper = keepLink({ open: () => openLink(topology, linkOptions), onLateEnd: topology.close, random, monotonicMs, log });
  const complain = createComplaints(monotonicMs, log);

  return {
    get link() {
      return keeper.current;
    },

    async attempt(commands) {
      const link = keeper.current;
      if (link === null) return null;
      try {
        return { link, result: await withTimeout(timeoutMs, commands(link)) };
      } catch (error) {
        if (concernsOneCommand(error)) complain(error);
        else keeper.lose(link, error);
        return null;
      }
    },

    attach: keeper.attach,

    close() {
      keeper.close();
      topology.close();
    },
  };
}

/** Logs that Redis refused a command, each reason once a minute. */
function createComplaints(monotonicMs: () => number, log: Pick<Log, "warn">): (error: unknown) => void {
  const loggedMs = new Map<string, number>();
  return (error) => {
    const reason = describeError(error);
    const nowMs = monotonicMs();
    if (nowMs - (loggedMs.get(reason) ?? Number.NEGATIVE_INFINITY) < complaintIntervalMs) return;
    loggedMs.set(reason, nowMs);
    log.warn({ reason }, "the Redis cache refused a command");
  };
}
