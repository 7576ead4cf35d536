import { concernsOneCommand, describeError } from "./failures.ts";
import { type Link, type LinkOptions, openLink } from "./link.ts";
import { createNames } from "./names.ts";
import { withTimeout } from "./timeout.ts";
import { createTopology } from "./topology.ts";
import { parseRedisUri } from "./uri.ts";

/** Receives log lines when the connection to Redis opens or closes, or when Redis refuses a command. */
export interface RedisLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

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
  readonly random?: () => number;
  readonly log?: RedisLog;
}

export interface CircuitEvents {
  onUp(): void;
  onDown(): void;
  /** Called only for messages of the current link. */
  onMessage(message: string, link: Link): void;
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
  attach(events: CircuitEvents): void;
  close(): void;
}

const retryMs = { first: 250, most: 1000 };
/** A link that lasts this long resets the back-off. */
const steadyMs = 2000;
const complaintIntervalMs = 60_000;

/**
 * Connects in the background, outside of requests. If a command times out, the connection is dropped at once, and a new one is tried after
 * 250 ms, later up to 1 s. Throws only for a malformed URI.
 */
export function startCircuit(options: RedisOptions): Circuit {
  const { timeoutMs = 100, connectTimeoutMs = 1000, recheckMs = 500 } = options;
  const { clock = Date.now, random = Math.random, log } = options;
  const target = parseRedisUri(options.uri);
  const connection = { login: target.login, db: target.db, tls: target.tls, tlsCa: options.tlsCa, connectTimeoutMs };
  const linkOptions: LinkOptions = { ...connection, channel: createNames(options.namespace).channel, timeoutMs, recheckMs };
  const topology = createTopology(target, connection, timeoutMs);
  const complainedMs = new Map<string, number>();
  let events: CircuitEvents | null = null;
  let current: Link | null = null;
  let closed = false;
  let failures = 0;
  let retry: NodeJS.Timeout | undefined;

  const connect = async () => {
    try {
      const link = await openLink(topology, linkOptions);
      if (closed) link.close();
      else adopt(link);
    } catch (error) {
      if (failures === 0) log?.warn({ reason: describeError(error) }, "cannot reach the Redis cache; reading keys from the store");
      tryAgain();
    }
    if (closed) topology.close();
  };

  const adopt = (link: Link) => {
    current = link;
    log?.info({ cache_id: link.cacheId }, "the Redis cache is connected");
    events?.onUp();
    link.attach({
      onMessage: (message) => link === current && events?.onMessage(message, link),
      onLost: (reason) => lose(link, reason),
    });
    setTimeout(() => {
      if (link === current) failures = 0;
    }, steadyMs).unref();
  };

  const tryAgain = () => {
    if (closed) return;
    const delayMs = Math.min(retryMs.first * 2 ** failures, retryMs.most) * (0.75 + 0.5 * random());
    failures += 1;
    retry = setTimeout(() => void connect(), delayMs);
  };

  const lose = (link: Link, reason: unknown) => {
    if (link !== current) return;
    current = null;
    link.close();
    log?.warn({ reason: describeError(reason) }, "lost the Redis cache; reading keys from the store until it is back");
    events?.onDown();
    tryAgain();
  };

  const complain = (error: unknown) => {
    const reason = describeError(error);
    const nowMs = clock();
    if (nowMs - (complainedMs.get(reason) ?? Number.NEGATIVE_INFINITY) < complaintIntervalMs) return;
    complainedMs.set(reason, nowMs);
    log?.warn({ reason }, "the Redis cache refused a command");
  };

  void connect();

  return {
    get link() {
      return current;
    },

    async attempt(commands) {
      const link = current;
      if (link === null) return null;
      try {
        return { link, result: await withTimeout(timeoutMs, commands(link)) };
      } catch (error) {
        if (concernsOneCommand(error)) complain(error);
        else lose(link, error);
        return null;
      }
    },

    attach(to) {
      events = to;
    },

    close() {
      closed = true;
      clearTimeout(retry);
      const link = current;
      current = null;
      link?.close();
      topology.close();
    },
  };
}
