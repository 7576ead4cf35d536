import type { PresentedCredential } from "../core/credential.ts";
import type { GuessLimit } from "../limit/guess-limit.ts";
import type { ActorLimits, ReadActorLimits } from "./actor-limits.ts";
import { presentsGuess, unverified, type Verification, type Verified } from "./judge.ts";
import { createTakeLimits, type TakeLimitsOptions } from "./take-limits.ts";

/** The limits before and after the verdict of a verification. Derivations use `settle` too. */
export interface Limits {
  /**
   * Refuses a credential that may be a guess if the client guessed too often. Returns null if the verification may continue. Call it before
   * the look-up, so that a guess costs no look-up, and again after it, so that guesses that are looked up at the same time are limited too.
   */
  refuseGuesser(tenant: string, answer: PresentedCredential | Verified, verification: Verification): Verified | null;
  /**
   * If the verification is valid, takes the cost from the rate limits of the key and its actor, from both or none, and records the use. If
   * it is invalid and may be a guess, counts it. Returns a promise only if a limit must be asked for outside of the process. `read` is
   * for `ActorLimits.of`.
   */
  settle(
    tenant: string,
    verified: Verified,
    verification: Pick<Verification, "statedAddress" | "cost">,
    read?: ReadActorLimits,
  ): Verified | Promise<Verified>;
}

export interface LimitsOptions extends TakeLimitsOptions {
  readonly actorLimits: Pick<ActorLimits, "of">;
  readonly guesses: GuessLimit;
}

/**
 * Guesses count against `client_ip`, and only if the request has it. A caller verifies the credentials of many end users. Without
 * `client_ip` they would all have the caller's address, and one who guesses would lock out the others. An expired or revoked key, or one
 * used from another address, is not a guess. A credential with a valid tag or signature is never refused here, because many clients may
 * share one address.
 */
export function createLimits({ rateLimiter, actorLimits, guesses, usage, clock }: LimitsOptions): Limits {
  const take = createTakeLimits({ rateLimiter, usage, clock });
  return {
    refuseGuesser(tenant, answer, { statedAddress }) {
      if (statedAddress === null || !presentsGuess(answer)) return null;
      const retryAfterMs = guesses.look(statedAddress, tenant);
      if (retryAfterMs === null) return null;
      return { ...unverified("guess_limited", "none", clock()), retryAfterMs };
    },

    settle(tenant, verified, { statedAddress, cost }, read) {
      const { verdict } = verified;
      if (!verdict.isValid) {
        if (statedAddress !== null && verified.isGuess) guesses.take(statedAddress, tenant);
        return verified;
      }
      const { record } = verdict;
      const actorPolicy = actorLimits.of(tenant, record.actorId, read);
      return actorPolicy instanceof Promise
        ? actorPolicy.then((policy) => take(tenant, verified, record, policy, cost))
        : take(tenant, verified, record, actorPolicy, cost);
    },
  };
}
