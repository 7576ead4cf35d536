import type { TokenKeys } from "../core/token/jwk-set.ts";

/** The keys of derived JWTs, wherever they come from. */
export interface TokenKeySource {
  /** As they were last read. Never empty. */
  current(): TokenKeys;
  /** How often reading them again has failed since the start, or returned unusable keys. */
  readonly failedRefreshCount: number;
  /** Stops the periodic reading. */
  close(): void;
}
