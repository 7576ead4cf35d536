import type { RateLimitPolicy } from "../core/key.ts";
import type { LocalRateLimiter } from "../ports/rate-limiter.ts";
import { createGuessLimit, type GuessLimit } from "./guess-limit.ts";

/**
 * How often keys may be self-revoked, which everybody may call. Counted by each process for itself. `takeUse` and `takeRepeat` return null if
 * the call may go on, else how long to wait in ms.
 */
export interface SelfRevokeLimits {
  /** For credentials that may be guesses, by the caller's address. */
  readonly guesses: Pick<GuessLimit, "take">;
  /** Counts one use of an issued key, by the key: the guesses of others do not keep its holders from revoking it. */
  takeUse(keyId: string): number | null;
  /** Counts one more report that a key is compromised which is known to be, by the key and from wherever it comes. */
  takeRepeat(keyId: string): number | null;
}

/** Each report is written to the audit trail, and revoked keys get published. */
const repeats: RateLimitPolicy = { quota: 10n, windowMs: 60_000, unit: "requests" };

/** Without a policy only repeated reports are limited. */
export function createSelfRevokeLimits(limiter: LocalRateLimiter, policy: RateLimitPolicy | null): SelfRevokeLimits {
  return {
    guesses: createGuessLimit(limiter, "self-revoke", policy),
    takeUse: (keyId) => (policy === null ? null : limiter.take("self-revoke key", keyId, policy, 1).retryAfterMs || null),
    takeRepeat: (keyId) => limiter.take("repeated self-revoke", keyId, repeats, 1).retryAfterMs || null,
  };
}
