import type { KeyRecord } from "../core/key.ts";

/** What a request's Cache-Control asks for (RFC 9111): `no-cache` skips the read, `no-store` the read and the write. */
export type CacheDirective = "none" | "no-cache" | "no-store";

/** How an answer came about, as Cache-Status says it (RFC 9211). */
export type CacheOutcome = "hit" | "miss" | "bypass";

/** Where records are looked for, in this order. */
export type CacheLevel = "process" | "shared" | "store";

/**
 * Called with what each level had of a key that it was asked for. A hit of the store is a key that exists. A level is bypassed if the request
 * asks for that, if the level cannot be believed, or if it does not answer.
 */
export type ObserveRead = (level: CacheLevel, outcome: CacheOutcome) => void;

export interface ReadAnswer {
  /** Null: no such key. */
  readonly record: KeyRecord | null;
  readonly outcome: CacheOutcome;
}
