import type { KeyRecord } from "../core/key.ts";

/** What a cache knows of a key: the record at a revision, or that there is none (a negative entry has revision 0). */
export interface CacheEntry {
  readonly record: KeyRecord | null;
  readonly revision: number;
  /** Epoch milliseconds from which on the entry must not be served. */
  readonly deadlineMs: number;
}

/**
 * The verifier cache: records by tenant and key id, never verdicts and never secrets. A miss is always a right answer, so
 * nothing here rejects; a cache that is lost answers misses.
 */
export interface RecordCache {
  /** Undefined: a miss. Entries at or past their deadline are misses. */
  get(tenant: string, keyId: string, nowMs: number): Promise<CacheEntry | undefined> | CacheEntry | undefined;

  /**
   * Keeps the entry unless the cache holds one of the same or a higher revision that is within its deadline, so a fill that
   * was read before a change never replaces the change. A negative entry replaces nothing.
   */
  putIfNewer(tenant: string, keyId: string, entry: CacheEntry, nowMs: number): Promise<void> | void;

  close(): Promise<void>;
}
