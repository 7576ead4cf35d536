import type { KeyRecord } from "../core/key.ts";

/**
 * A cached fact about a key: the record at a revision, or that no key exists (a negative entry has revision 0, a tombstone a higher one).
 */
export interface CacheEntry {
  readonly record: KeyRecord | null;
  readonly revision: number;
  /** Epoch milliseconds at which the entry expires. */
  readonly deadlineMs: number;
}

/**
 * The verifier cache of one process: records by tenant and key id, never verdicts and never secrets. A miss is always a correct answer. No
 * method rejects or waits.
 */
export interface RecordCache {
  /** Returns undefined for a miss. Entries at or past their deadline are misses. */
  get(tenant: string, keyId: string, nowMs: number): CacheEntry | undefined;

  /**
   * Stores the entry unless the cache holds one of the same or a higher revision that has not expired. So a fill that was read before a
   * change never replaces the change. A negative entry replaces nothing.
   */
  putIfNewer(tenant: string, keyId: string, entry: CacheEntry, nowMs: number): void;

  /** Drops the entry of a key if its revision is below this one. */
  dropOlder(tenant: string, keyId: string, revision: number): void;

  /** Drops everything. */
  clear(): void;
}
