import type { KeyRecord } from "../core/key.ts";
import type { CacheEntry } from "../ports/record-cache.ts";

export interface EntryLives {
  /** How long a record may be served without asking the store again. */
  readonly cacheTtlMs: number;
  /** The same for "no such key". */
  readonly negativeCacheTtlMs: number;
}

/**
 * What the store said, as a cache keeps it. The deadline counts from the moment before the store was asked, so that of two records of a key the
 * older one never outlives the newer.
 */
export function entryOf(lives: EntryLives, record: KeyRecord | null, revision: number, askedMs: number): CacheEntry {
  const isNegative = record === null && revision === 0;
  return { record, revision, deadlineMs: askedMs + (isNegative ? lives.negativeCacheTtlMs : lives.cacheTtlMs) };
}
