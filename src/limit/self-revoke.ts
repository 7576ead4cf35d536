import type { RateLimitPolicy } from "../core/key.ts";
import type { LocalRateLimiter } from "../ports/rate-limiter.ts";
import { createGuessLimit, type GuessLimit } from "./guess-limit.ts";

/** The limits on a method that everybody may call. Counted by each process for itself. */
export interface SelfRevokeLimits {
  readonly byAddress: Pick<GuessLimit, "take">;
  /** Counts one more report that a key is compromised, by its id: null if the call may go on, else how long to wait. */
  takeRepeat(keyId: string): number | null;
}

/** Each report is written to the audit trail, and revoked keys get published. */
const repeats: RateLimitPolicy = { quota: 10n, windowMs: 60_000, unit: "requests" };

export function createSelfRevokeLimits(limiter: LocalRateLimiter, byAddress: RateLimitPolicy | null): SelfRevokeLimits {
  return {
    byAddress: createGuessLimit(limiter, "self-revoke", byAddress),
    takeRepeat: (keyId) => limiter.take("repeated self-revoke", keyId, repeats, 1).retryAfterMs || null,
  };
}
