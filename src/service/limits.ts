import type { PresentedCredential } from "../core/credential.ts";
import type { KeyRecord, RateLimitPolicy } from "../core/key.ts";
import { actorLimitId, keyLimitId } from "../core/limit-ids.ts";
import { isEnforced, type Taken } from "../core/rate-limit.ts";
import type { GuessLimit } from "../limit/guess-limit.ts";
import type { Clock } from "../ports/clock.ts";
import type { RateLimiter } from "../ports/rate-limiter.ts";
import type { ActorLimits, ReadActorLimits } from "./actor-limits.ts";
import { type KeyLimit, presentsGuess, unverified, type Verification, type Verified } from "./judge.ts";
import type { UsageRecorder } from "./usage-recorder.ts";

/** The limits before and after the verdict of a verification. Derivations use `settle` too. */
export interface Limits {
  /**
   * Refuses a credential that may be a guess if the client guessed too often. Returns null if the verification may continue. Call it before
   * the look-up, so that a guess costs no look-up.
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

export interface LimitsOptions {
  readonly rateLimiter: RateLimiter;
  readonly actorLimits: Pick<ActorLimits, "of">;
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
export function createLimits({ rateLimiter, actorLimits, guesses, usage, clock }: LimitsOptions): Limits {
  /** `key` and `actor` are what the limits answered. `key` is null if the key has no limit of its own. */
  const conclude = (tenant: string, verified: Verified, key: Asked | null, actor: Asked): Verified => {
    const { record } = verified.verdict;
    const asked = { ...verified, ...(key !== null && { limit: leftOf(key, clock()) }), actorLimit: leftOf(actor, clock()) };
    const refusal = refusalOf(key, actor);
    if (refusal !== null) return { ...asked, verdict: { isValid: false, code: refusal.code, record }, retryAfterMs: refusal.retryAfterMs };
    if (record !== null) usage.record(tenant, record.keyId, verified.nowMs);
    return asked;
  };

  /** For a key without another limit, which most limited keys are. */
  const concludeOne = (tenant: string, verified: Verified, policy: RateLimitPolicy, taken: Taken): Verified => {
    const { record } = verified.verdict;
    const limit = leftOf({ policy, taken }, clock());
    if (!taken.admitted) {
      return { ...verified, verdict: { isValid: false, code: "rate_limited", record }, limit, retryAfterMs: taken.retryAfterMs };
    }
    if (record !== null) usage.record(tenant, record.keyId, verified.nowMs);
    return { ...verified, limit };
  };

  const takeOne = (tenant: string, verified: Verified, record: KeyRecord, policy: RateLimitPolicy, cost: number) => {
    const taken = rateLimiter.take(tenant, keyLimitId(record), policy, cost);
    return taken instanceof Promise
      ? taken.then((answer) => concludeOne(tenant, verified, policy, answer))
      : concludeOne(tenant, verified, policy, taken);
  };

  /** Takes from the limit of the actor, and from that of the key if it has one. */
  const takeBoth = (tenant: string, verified: Verified, record: KeyRecord, policy: RateLimitPolicy, cost: number) => {
    const { rateLimitPolicy, actorId } = record;
    const own = isEnforced(rateLimitPolicy) ? rateLimitPolicy : null;
    const actor = { id: actorLimitId(actorId), policy };
    const taken = rateLimiter.takeAll(tenant, own === null ? [actor] : [{ id: keyLimitId(record), policy: own }, actor], cost);
    const end = (answers: readonly Taken[]): Verified => {
      const ofKey = own === null ? null : { policy: own, taken: answers[0] as Taken };
      return conclude(tenant, verified, ofKey, { policy, taken: answers.at(-1) as Taken });
    };
    return taken instanceof Promise ? taken.then(end) : end(taken);
  };

  const take = (tenant: string, verified: Verified, record: KeyRecord, actorPolicy: RateLimitPolicy | null, cost: number) => {
    if (actorPolicy !== null) return takeBoth(tenant, verified, record, actorPolicy, cost);
    if (isEnforced(record.rateLimitPolicy)) return takeOne(tenant, verified, record, record.rateLimitPolicy, cost);
    usage.record(tenant, record.keyId, verified.nowMs);
    return verified;
  };

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

/** A limit, and its answer. */
interface Asked {
  readonly policy: RateLimitPolicy;
  readonly taken: Taken;
}

function leftOf({ policy, taken: { remaining, resetAfterMs } }: Asked, nowMs: number): KeyLimit {
  return { policy, remaining, resetAfterMs, resetTimeMs: nowMs + resetAfterMs };
}

/** Null if no limit refused. If both did, the key's is named, and the longer wait counts. */
function refusalOf(key: Asked | null, actor: Asked): { code: "rate_limited" | "actor_rate_limited"; retryAfterMs: number | null } | null {
  const refusing = [key, actor].filter((each) => each?.taken.admitted === false) as Asked[];
  if (refusing.length === 0) return null;
  const waits = refusing.map(({ taken }) => taken.retryAfterMs);
  const retryAfterMs = waits.some((each) => each === null) ? null : Math.max(...(waits as number[]));
  return { code: key?.taken.admitted === false ? "rate_limited" : "actor_rate_limited", retryAfterMs };
}
