import type { KeyRecord } from "../core/key.ts";

/** The cache directive of a request (RFC 9111): `no-cache` skips the read, `no-store` the read and the write. */
export type CacheDirective = "none" | "no-cache" | "no-store";

/** Where a result came from, in the terms of Cache-Status (RFC 9211). */
export type CacheOutcome = "hit" | "miss" | "bypass";

/** The levels at which records are looked up, in this order. */
export type CacheLevel = "process" | "shared" | "store";

/**
 * Called with the outcome of each level that was asked for a key. A hit in the store means that the key exists. A level is bypassed if the
 * request requires that, if the level cannot be trusted, or if it does not answer.
 */
export type ObserveRead = (level: CacheLevel, outcome: CacheOutcome) => void;

export interface ReadAnswer {
  /** Null if no key was found. */
  readonly record: KeyRecord | null;
  readonly outcome: CacheOutcome;
}
