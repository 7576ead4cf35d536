import type { TokenKeys } from "../core/token/jwk-set.ts";

/** The keys of derived JWTs, from any source. */
export interface TokenKeySource {
  /** Returns the keys that were last read. Never empty. */
  current(): TokenKeys;
  /** Number of failed refreshes since the start: the keys could not be read, or were unusable. */
  readonly failedRefreshCount: number;
  /** Stops the periodic reading. */
  close(): void;
}
