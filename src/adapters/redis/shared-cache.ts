import type { CacheEntry } from "../../ports/record-cache.ts";
import type { SharedCache, SharedCacheListener } from "../../ports/shared-cache.ts";
import { decodeEntry, encodeEntry } from "./encoding.ts";
import { concernsOneCommand, describeError } from "./failures.ts";
import { type Link, openLink } from "./link.ts";
import { decodeMessage, encodeMessage } from "./messages.ts";
import { createNames } from "./names.ts";
import { createTopology } from "./topology.ts";
import { parseRedisUri } from "./uri.ts";
import { within } from "./within.ts";

/** Where the cache says that it came, went, or may not do what it needs. */
export interface RedisLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

export interface RedisSharedCacheOptions {
  /** Stands for the store whose keys are cached; without braces. Processes of one store give the same, those of another store another. */
  readonly namespace: string;
  /** See uri.ts. */
  readonly uri: string;
  /** For every command; less than a read of the store may take. */
  readonly timeoutMs?: number;
  /** For opening a connection, which no request waits for. */
  readonly connectTimeoutMs?: number;
  /** How long Redis keeps an entry beyond its deadline, for times without the store. */
  readonly graceMs?: number;
  /** How often the servers are asked whether they are still the same. */
  readonly recheckMs?: number;
  /** Certificates to trust for TLS in place of the system's, in PEM. */
  readonly tlsCa?: string | Buffer;
  readonly clock?: () => number;
  readonly random?: () => number;
  readonly log?: RedisLog;
}

/** Fills beyond this many under way are dropped: a flood of them would delay the reads. */
const maxFillsUnderWay = 1000;
const retryMs = { first: 250, most: 1000 };
/** A link that lasted this long ends the back-off. */
const steadyMs = 2000;
const complaintIntervalMs = 60_000;

/**
 * The shared cache on Redis 7 or later: one server, one behind Sentinel, or a Cluster. Rejects for a malformed URI only; it connects by
 * itself, beside the requests, and answers "cannot tell" without any wait while there is no connection. A server that lets a command time out
 * is dropped at once and tried again on a new connection, after 250 ms, later up to 1 s.
 *
 * An ACL user needs `+info +get +mget +getrange +set +del +eval +evalsha +subscribe +publish +ping ~kw1:* &kw1:*`, with a database other than 0
 * `+select`; in a Cluster `+cluster|slots +cluster|info +ssubscribe +spublish`; at the sentinels `+sentinel|get-master-addr-by-name`.
 *
 * The cache id stands for the run id and the replication id of every server: a restart, a failover, and the way back of a former master
 * each give another one.
 */
export async function openRedisSharedCache(options: RedisSharedCacheOptions): Promise<SharedCache> {
  const { timeoutMs = 100, connectTimeoutMs = 1000, graceMs = 60_000, recheckMs = 500 } = options;
  const { clock = Date.now, random = Math.random, log } = options;
  const target = parseRedisUri(options.uri);
  const connection = { login: target.login, db: target.db, tls: target.tls, tlsCa: options.tlsCa, connectTimeoutMs };
  const { channel, entry: entryName } = createNames(options.namespace);
  const topology = createTopology(target, connection, timeoutMs);
  const complainedMs = new Map<string, number>();
  let listener: SharedCacheListener | null = null;
  let current: Link | null = null;
  let closed = false;
  let failures = 0;
  let retry: NodeJS.Timeout | undefined;
  let fillsUnderWay = 0;

  const connect = async () => {
    try {
      const link = await openLink(topology, { ...connection, channel, timeoutMs, recheckMs });
      if (closed) link.close();
      else adopt(link);
    } catch (error) {
      if (failures === 0) log?.warn({ reason: describeError(error) }, "the Redis cache cannot be reached; keys come from the store");
      tryAgain();
    }
    if (closed) topology.close();
  };

  const adopt = (link: Link) => {
    current = link;
    log?.info({ cache_id: link.cacheId }, "the Redis cache is connected");
    listener?.onGap();
    link.attach({ onMessage: (message) => link === current && hear(link, message), onLost: (reason) => lose(link, reason) });
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
    log?.warn({ reason: describeError(reason) }, "the Redis cache is lost; keys come from the store until it is back");
    listener?.onGap();
    tryAgain();
  };

  const hear = (link: Link, text: string) => {
    const message = decodeMessage(text);
    if (message === undefined) listener?.onGap();
    else if (message.kind === "beat") listener?.onBeat(message.beatId, link.cacheId);
    else listener?.onChange(message.tenant, message.keyId, message.revision);
  };

  const complain = (error: unknown) => {
    const reason = describeError(error);
    const nowMs = clock();
    if (nowMs - (complainedMs.get(reason) ?? Number.NEGATIVE_INFINITY) < complaintIntervalMs) return;
    complainedMs.set(reason, nowMs);
    log?.warn({ reason }, "the Redis cache refused a command");
  };

  /** Runs commands on the link that there is; null where there is none, or where they did not all succeed in time. */
  const attempt = async <T>(commands: (link: Link) => Promise<T>): Promise<{ readonly link: Link; readonly result: T } | null> => {
    const link = current;
    if (link === null) return null;
    try {
      return { link, result: await within(timeoutMs, commands(link)) };
    } catch (error) {
      if (concernsOneCommand(error)) complain(error);
      else lose(link, error);
      return null;
    }
  };

  const lifeMs = ({ deadlineMs }: CacheEntry): number => {
    const nowMs = clock();
    return deadlineMs <= nowMs ? 0 : Math.ceil(deadlineMs + graceMs - nowMs);
  };

  void connect();

  return {
    get cacheId() {
      return current?.cacheId ?? null;
    },

    async read(generation, tenant, keyIds) {
      const names = keyIds.map((keyId) => entryName(generation, tenant, keyId));
      const answer = await attempt((link) => readEntries(link, channel, names));
      if (answer === null || answer.link !== current) return null;
      const entries = answer.result.map((bytes, index) => (bytes === null ? undefined : decodeEntry(bytes, keyIds[index] as string)));
      return { cacheId: answer.link.cacheId, entries };
    },

    fill(generation, tenant, keyId, entry) {
      const life = lifeMs(entry);
      if (current === null || life === 0 || fillsUnderWay >= maxFillsUnderWay) return;
      const name = entryName(generation, tenant, keyId);
      const bytes = encodeEntry(entry);
      fillsUnderWay += 1;
      void attempt((link) => link.nodeOf(name).kwPut(name, bytes, life)).finally(() => {
        fillsUnderWay -= 1;
      });
    },

    async tell(generation, tenant, keyId, entry) {
      const name = entryName(generation, tenant, keyId);
      const bytes = encodeEntry(entry);
      const message = encodeMessage({ kind: "change", tenant, keyId, revision: entry.revision });
      const answer = await attempt(async (link) => {
        if (!link.isCluster) return link.nodeOf(name).kwTell(name, bytes, lifeMs(entry), channel, message);
        // One after the other: whoever hears of the change before it is in place would read, and keep, the old entry.
        await link.nodeOf(name).kwPut(name, bytes, lifeMs(entry));
        return link.nodeOf(channel).spublish(channel, message);
      });
      return answer?.link.cacheId ?? null;
    },

    beat(beatId) {
      const message = encodeMessage({ kind: "beat", beatId });
      void attempt((link): Promise<unknown> => {
        const node = link.nodeOf(channel);
        return link.isCluster ? node.spublish(channel, message) : node.publish(channel, message);
      });
    },

    subscribe(toWhom) {
      listener = toWhom;
    },

    async close() {
      closed = true;
      clearTimeout(retry);
      const link = current;
      current = null;
      link?.close();
      topology.close();
    },
  };
}

async function readEntries(link: Link, channel: string, names: readonly string[]): Promise<(Buffer | null)[]> {
  if (names.length > 1 && !link.isCluster) return link.nodeOf(channel).mgetBuffer([...names]);
  return Promise.all(names.map((name) => link.nodeOf(name).getBuffer(name)));
}
