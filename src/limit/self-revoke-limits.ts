import type { RateLimitPolicy } from "../core/key.ts";
import type { LocalRateLimiter } from "../ports/rate-limiter.ts";
import { createGuessLimit, type GuessLimit } from "./guess-limit.ts";

/** How often keys may be self-revoked. Counted by each process for itself. */
export interface SelfRevokeLimits {
  /** For credentials that may be guesses. */
  readonly guesses: GuessLimit;
  /**
   * Counts one use of an issued key: the guesses of others do not keep its holders from revoking it. Returns null if it may go on, else how long
   * to wait in ms.
   */
  takeUse(keyId: string): number | null;
}

/** Without a policy there is no limit. */
export function createSelfRevokeLimits(limiter: LocalRateLimiter, policy: RateLimitPolicy | null): SelfRevokeLimits {
  return {
    guesses: createGuessLimit(limiter, "self-revoke", policy),
    takeUse: (keyId) => (policy === null ? null : limiter.take("self-revoke key", keyId, policy, 1).retryAfterMs || null),
  };
}
