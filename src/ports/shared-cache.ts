import type { CacheEntry } from "./record-cache.ts";

/** What a process hears from the others. Called in the order in which the server sent it. */
export interface SharedCacheListener {
  /** A key changed: entries below this revision are out of date. */
  onChange(tenant: string, keyId: string, revision: number): void;
  /** A heartbeat of any process came round, by way of the server that calls itself `cacheId`. */
  onBeat(beatId: string, cacheId: string): void;
  /**
   * The subscription was set up, for the first time or again: what was published before may be missing. Where it is merely cut nothing is
   * called, since what was heard until then still holds.
   */
  onGap(): void;
}

export type KeyedEntry = readonly [keyId: string, entry: CacheEntry];

/**
 * The cache that processes share. Nothing here rejects or takes longer than a store read may: a server that does not answer is a cache
 * that answers "cannot tell". Each answer names the server it came from (`cacheId`), because one that restarted or failed over may have
 * lost writes and must not be believed until a new generation began.
 */
export interface SharedCache {
  /** The server as it is known on the present connection; null while there is none. */
  readonly cacheId: string | null;
  /** Entries by key id, undefined for a miss, in one round trip; null where the server did not answer. Deadlines are not checked here. */
  read(
    generation: number,
    tenant: string,
    keyIds: readonly string[],
  ): Promise<{ readonly cacheId: string; readonly entries: readonly (CacheEntry | undefined)[] } | null>;
  /**
   * Keeps the entry unless one of a higher revision is there, or of the same with no earlier deadline; a negative entry replaces no record.
   * What is kept stays there for a minute or more beyond its deadline, so that nothing older that comes late takes its place. Best effort.
   */
  fill(generation: number, tenant: string, keyId: string, entry: CacheEntry): void;
  /**
   * The same for changes, each of another key, and publishes them. Up to 1000, in a few round trips. Resolves with the server that took it all,
   * null where that is not certain.
   */
  announce(generation: number, tenant: string, changes: readonly KeyedEntry[]): Promise<string | null>;
  /** Publishes a heartbeat, which comes back through `onBeat` after everything that was published before it. */
  beat(beatId: string): void;
  /** Once, before anything else. */
  subscribe(listener: SharedCacheListener): void;
  close(): Promise<void>;
}
