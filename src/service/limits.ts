import type { PresentedCredential } from "../core/credential.ts";
import type { RateLimitPolicy } from "../core/key.ts";
import { isEnforced, type Taken } from "../core/rate-limit.ts";
import { mayBeGuess } from "../core/read-credential.ts";
import type { GuessLimit } from "../limit/guess-limit.ts";
import type { Clock } from "../ports/clock.ts";
import type { RateLimiter } from "../ports/rate-limiter.ts";
import { isVerified, unverified, type Verification, type Verified } from "./judge.ts";
import type { UsageRecorder } from "./usage-recorder.ts";

/** The limits before and after the verdict of a verification. Derivations use `settle` too. */
export interface Limits {
  /**
   * Refuses a credential that may be a guess if the client guessed too often. Returns null if the verification may continue. Call it before
   * the look-up, so that a guess costs no look-up.
   */
  refuseGuesser(tenant: string, answer: PresentedCredential | Verified, verification: Verification): Verified | null;
  /**
   * If the verification is valid, takes the cost from the rate limit of the key and records the use. If it is invalid and may be a guess,
   * counts it. Returns a promise only if the key has a limit that processes share.
   */
  settle(tenant: string, verified: Verified, verification: Pick<Verification, "statedAddress" | "cost">): Verified | Promise<Verified>;
}

export interface LimitsOptions {
  readonly rateLimiter: RateLimiter;
  readonly guesses: GuessLimit;
  readonly usage: Pick<UsageRecorder, "record">;
  readonly clock: Clock;
}

/**
 * Guesses count against `client_ip`, and only if the request has it. A caller verifies the credentials of many end users. Without
 * `client_ip` they would all have the caller's address, and one who guesses would lock out the others. An expired or revoked key, or one
 * used from another address, is not a guess. A credential with a valid tag or signature is never refused here, because many clients may
 * share one address.
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
    refuseGuesser(tenant, answer, { statedAddress }) {
      const isSuspect = isVerified(answer) ? answer.isGuess : mayBeGuess(answer);
      if (statedAddress === null || !isSuspect) return null;
      const retryAfterMs = guesses.look(statedAddress, tenant);
      if (retryAfterMs === null) return null;
      return { ...unverified("guess_limited", "none", clock()), retryAfterMs };
    },

    settle(tenant, verified, { statedAddress, cost }) {
      const { verdict } = verified;
      if (!verdict.isValid) {
        if (statedAddress !== null && verified.isGuess) guesses.take(statedAddress, tenant);
        return verified;
      }
      const { keyId, lineageId, rateLimitPolicy } = verdict.record;
      if (!isEnforced(rateLimitPolicy)) {
        usage.record(tenant, keyId, verified.nowMs);
        return verified;
      }
      // By lineage, so that a key and its successor share a limit.
      const taken = rateLimiter.take(tenant, lineageId, rateLimitPolicy, cost);
      return taken instanceof Promise
        ? taken.then((answer) => conclude(tenant, verified, rateLimitPolicy, answer))
        : conclude(tenant, verified, rateLimitPolicy, taken);
    },
  };
}
