import type { RateLimitPolicy } from "../core/key.ts";
import { isEnforced, type Taken } from "../core/rate-limit.ts";
import type { RefusalCode } from "../core/verdict.ts";
import type { GuessLimit } from "../limit/guess-limit.ts";
import type { Clock } from "../ports/clock.ts";
import type { RateLimiter } from "../ports/rate-limiter.ts";
import { refuse, type Verification, type Verified } from "./judge.ts";
import type { UsageRecorder } from "./usage-recorder.ts";

/** The limits that a verification meets before and after its verdict; `settle` holds for a derivation as well. */
export interface Limits {
  /** The refusal of a client that failed too often; null where the verification may go on. */
  refuseGuesser(verification: Verification): Verified | null;
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
 * Credentials that are nobody's. One that is expired, revoked or used from elsewhere was no guess: a client that goes on with its old key is
 * told so as long as it asks.
 */
const guessed: ReadonlySet<RefusalCode> = new Set(["invalid_format", "not_found", "signature_invalid"]);

/**
 * Failures count against `client_ip`, and only where it was given. Whoever calls verify holds a token and asks for others: without
 * `client_ip` they all would have the caller's address, and one of them who guesses would lock all of them out.
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
    refuseGuesser({ clientIp }) {
      if (clientIp === "") return null;
      const retryAfterMs = guesses.look(clientIp);
      if (retryAfterMs === null) return null;
      return { verdict: refuse("guess_limited"), kind: "none", nowMs: clock(), cacheOutcome: null, customClaims: null, retryAfterMs };
    },

    settle(tenant, verified, { clientIp, cost }) {
      const { verdict } = verified;
      if (!verdict.isValid) {
        if (clientIp !== "" && guessed.has(verdict.code)) guesses.take(clientIp);
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
