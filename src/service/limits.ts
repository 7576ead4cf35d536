import { mayBeGuess } from "../core/claim.ts";
import type { Claim } from "../core/credential.ts";
import type { RateLimitPolicy } from "../core/key.ts";
import { isEnforced, type Taken } from "../core/rate-limit.ts";
import type { GuessLimit } from "../limit/guess-limit.ts";
import type { Clock } from "../ports/clock.ts";
import type { RateLimiter } from "../ports/rate-limiter.ts";
import { isVerified, unverified, type Verification, type Verified } from "./judge.ts";
import type { UsageRecorder } from "./usage-recorder.ts";

/** The limits that a verification meets before and after its verdict; `settle` holds for a derivation as well. */
export interface Limits {
  /**
   * Refuses what may be a guess if it comes from a client that guessed too often; null if the verification may go on. Call before the look-up,
   * which guessers are not to cause.
   */
  refuseGuesser(answer: Claim | Verified, verification: Verification): Verified | null;
  /**
   * Takes the cost of a valid verification from its key's rate limit, and counts the use, or counts the failure of one that is not.
   * A promise only where the key has a limit that other processes share.
   */
  settle(tenant: string, verified: Verified, verification: Pick<Verification, "clientIp" | "cost">): Verified | Promise<Verified>;
}

export interface LimitsOptions {
  readonly rateLimiter: RateLimiter;
  readonly guesses: GuessLimit;
  readonly usage: Pick<UsageRecorder, "record">;
  readonly clock: Clock;
}

/**
 * Guesses count against `client_ip`, and only if it was given. A caller of verify asks for others: without `client_ip` they all would have
 * the caller's address, and one of them who guesses would lock all of them out. An expired or revoked key, or one that is used from elsewhere,
 * is no guess. A credential with a genuine tag or signature is never refused here, since many clients may share one address.
 */
export function createLimits({ rateLimiter, guesses, usage, clock }: LimitsOptions): Limits {
  const conclude = (tenant: string, verified: Verified, policy: RateLimitPolicy, taken: Taken): Verified => {
    const { record } = verified.verdict;
    const { remaining, resetAfterMs, retryAfterMs } = taken;
    const limit = { policy, remaining, resetAfterMs, resetTimeMs: clock() + resetAfterMs };
    if (!taken.admitted) return { ...verified, verdict: { isValid: false, code: "rate_limited", record }, limit, retryAfterMs };
    if (record !== null) usage.record(tenant, record.keyId, verified.nowMs);
    return { ...verified, limit };
  };

  return {
    refuseGuesser(answer, { clientIp }) {
      const isSuspect = isVerified(answer) ? answer.isGuess : mayBeGuess(answer);
      if (clientIp === null || !isSuspect) return null;
      const retryAfterMs = guesses.look(clientIp);
      if (retryAfterMs === null) return null;
      return { ...unverified("guess_limited", "none", clock()), retryAfterMs };
    },

    settle(tenant, verified, { clientIp, cost }) {
      const { verdict } = verified;
      if (!verdict.isValid) {
        if (clientIp !== null && verified.isGuess) guesses.take(clientIp);
        return verified;
      }
      const { keyId, rateLimitPolicy } = verdict.record;
      if (!isEnforced(rateLimitPolicy)) {
        usage.record(tenant, keyId, verified.nowMs);
        return verified;
      }
      const taken = rateLimiter.take(tenant, keyId, rateLimitPolicy, cost);
      return taken instanceof Promise
        ? taken.then((answer) => conclude(tenant, verified, rateLimitPolicy, answer))
        : conclude(tenant, verified, rateLimitPolicy, taken);
    },
  };
}
