import type { TokenKeys } from "../core/token/jwk-set.ts";

/** The keys of derived JWTs, wherever they come from. */
export interface TokenKeySource {
  /** As they were read last; there are always some. */
  current(): TokenKeys;
  /** How often they could not be read again since the start, or not be used. */
  readonly failedRefreshCount: number;
  /** Stops reading them again. */
  close(): void;
}
