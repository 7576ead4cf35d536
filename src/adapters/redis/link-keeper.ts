import { createOutageLog } from "../../outage-log.ts";
import type { Log } from "../../ports/log.ts";
import { describeError } from "./failures.ts";
import type { Link } from "./link.ts";

export interface LinkEvents {
  onUp(): void;
  onDown(): void;
  /** Called only for messages of the current link. */
  onMessage(message: string, link: Link): void;
}

export interface LinkKeeperOptions {
  readonly open: () => Promise<Link>;
  /** Called after each attempt to open a link that ended after `close`. */
  readonly onLateEnd: () => void;
  readonly random: () => number;
  readonly monotonicMs: () => number;
  readonly log: Pick<Log, "info" | "warn">;
}

/** Keeps one link: if it is lost, opens another in the background. */
export interface LinkKeeper {
  /** Null while there is no link. */
  readonly current: Link | null;
  /** Closes this link if it is the current one. */
  lose(link: Link, reason: unknown): void;
  /** Call it once. */
  attach(events: LinkEvents): void;
  close(): void;
}

/** `jitter` is the share by which a pause may be longer or shorter, so that processes do not all return at once. */
const retryMs = { first: 250, most: 1000, jitter: 0.25 };
/** A link that lasts this long resets the back-off, and ends the outage in the log. */
const steadyMs = 2000;

/** Redis may evict spent units of rate limits, and newer entries that keep older ones out. Then they are lost before their time. */
const evictionWarning = "Redis may evict entries, which makes rate limits and revocations inexact; set maxmemory-policy noeviction";

export function keepLink({ open, onLateEnd, random, monotonicMs, log }: LinkKeeperOptions): LinkKeeper {
  let events: LinkEvents | null = null;
  let current: Link | null = null;
  let closed = false;
  let failures = 0;
  let retry: NodeJS.Timeout | undefined;
  /** A server that is too slow loses one link a second, so an outage ends only once a link lasts. */
  const outage = createOutageLog(log, monotonicMs);

  const connect = async () => {
    try {
      const link = await open();
      if (closed) link.close();
      else adopt(link);
    } catch (error) {
      if (!closed) outage.failed({ reason: describeError(error) }, "cannot reach the Redis cache; reading keys from the store");
      tryAgain();
    }
    if (closed) onLateEnd();
  };

  const adopt = (link: Link) => {
    current = link;
    if (!outage.isOn) logConnected(link, log.info, log);
    events?.onUp();
    link.attach({
      onMessage: (message) => link === current && events?.onMessage(message, link),
      onLost: (reason) => lose(link, reason),
    });
    setTimeout(() => {
      if (link !== current) return;
      failures = 0;
      if (outage.isOn) logConnected(link, outage.over, log);
    }, steadyMs).unref();
  };

  const tryAgain = () => {
    if (closed) return;
    const delayMs = Math.min(retryMs.first * 2 ** failures, retryMs.most) * (1 + retryMs.jitter * (2 * random() - 1));
    failures += 1;
    retry = setTimeout(() => void connect(), delayMs);
  };

  const lose = (link: Link, reason: unknown) => {
    if (link !== current) return;
    current = null;
    link.close();
    if (!outage.isOn)
      outage.failed({ reason: describeError(reason) }, "lost the Redis cache; reading keys from the store until it is back");
    events?.onDown();
    tryAgain();
  };

  void connect();
  return {
    get current() {
      return current;
    },
    lose,
    attach(to) {
      events = to;
    },
    close() {
      closed = true;
      clearTimeout(retry);
      const link = current;
      current = null;
      link?.close();
    },
  };
}

function logConnected({ cacheId, evictionPolicy }: Link, say: Log["info"], log: LinkKeeperOptions["log"]): void {
  say({ cache_id: cacheId }, "the Redis cache is connected");
  if (evictionPolicy !== null) log.warn({ policy: evictionPolicy }, evictionWarning);
}
