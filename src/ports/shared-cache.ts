import type { CacheEntry } from "./record-cache.ts";

/** Messages from other processes. Called in the order in which the server sent them. */
export interface SharedCacheListener {
  /** A key changed: entries below this revision are outdated. */
  onChange(tenant: string, keyId: string, revision: number): void;
  /** A heartbeat of any process arrived through the server with the identity `cacheId`. */
  onBeat(beatId: string, cacheId: string): void;
  /**
   * The subscription was set up, for the first time or again: earlier messages may be missing. A broken subscription calls nothing, because
   * what was received until then is still valid.
   */
  onGap(): void;
}

export type KeyedEntry = readonly [keyId: string, entry: CacheEntry];

/**
 * The cache that processes share. No method rejects, or takes longer than a store read may: if a server does not answer, the outcome is
 * unknown. Each answer names the server it came from (`cacheId`), because a server that restarted or failed over may have lost writes and
 * must not be trusted until a new generation begins.
 */
export interface SharedCache {
  /** The server on the current connection; null while there is no connection. */
  readonly cacheId: string | null;
  /** Entries by key id, undefined for a miss, in one round trip; null if the server did not answer. Deadlines are not checked here. */
  read(
    generation: number,
    tenant: string,
    keyIds: readonly string[],
  ): Promise<{ readonly cacheId: string; readonly entries: readonly (CacheEntry | undefined)[] } | null>;
  /**
   * Stores the entry unless the cache holds one with a higher revision, or one with the same revision and no earlier deadline. A negative
   * entry replaces no record. An entry is kept for at least a minute beyond its deadline, so that an older entry that arrives late does not
   * take its place. Best effort.
   */
  fill(generation: number, tenant: string, keyId: string, entry: CacheEntry): void;
  /**
   * The same for changes, each of another key, and publishes them. Up to 1000, in a few round trips. Resolves with the server that accepted
   * all of them, or null if that is unknown.
   */
  announce(generation: number, tenant: string, changes: readonly KeyedEntry[]): Promise<string | null>;
  /** Publishes a heartbeat. It returns through `onBeat` after everything that was published before it. */
  beat(beatId: string): void;
  /** Call once, before any other method. */
  subscribe(listener: SharedCacheListener): void;
  close(): Promise<void>;
}
