import type { KeyRecord } from "../core/key.ts";
import type { CacheEntry } from "../ports/record-cache.ts";

export interface EntryLives {
  /** How long a record may be served without asking the store again. */
  readonly cacheTtlMs: number;
  /** The same for a key that was not found. */
  readonly negativeCacheTtlMs: number;
}

/**
 * Makes the cache entry for what the store returned. The deadline counts from the moment before the store was asked, so that the older of
 * two records of a key never outlives the newer one.
 */
export function entryOf(lives: EntryLives, record: KeyRecord | null, revision: number, askedMs: number): CacheEntry {
  const isNegative = record === null && revision === 0;
  return { record, revision, deadlineMs: askedMs + (isNegative ? lives.negativeCacheTtlMs : lives.cacheTtlMs) };
}
