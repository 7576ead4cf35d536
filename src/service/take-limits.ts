import { createBoundedWeakMemory } from "../core/bounded-memory.ts";
import type { KeyRecord, RateLimitPolicy } from "../core/key.ts";
import { actorLimitId, keyLimitId } from "../core/limit-ids.ts";
import { isEnforced, type Taken } from "../core/rate-limit.ts";
import type { Clock } from "../ports/clock.ts";
import type { RateLimiter } from "../ports/rate-limiter.ts";
import type { KeyLimit, Verified } from "./judge.ts";
import type { UsageRecorder } from "./usage-recorder.ts";

/**
 * Takes the cost of a valid verification from the limit of its key and that of its actor, from both or none, and records the use if they
 * admit it. Returns a promise only if processes share the limits and another must be asked.
 */
export type TakeLimits = (
  tenant: string,
  verified: Verified,
  record: KeyRecord,
  actorPolicy: RateLimitPolicy | null,
  cost: number,
) => Verified | Promise<Verified>;

export interface TakeLimitsOptions {
  readonly rateLimiter: RateLimiter;
  readonly usage: Pick<UsageRecorder, "record">;
  readonly clock: Clock;
}

/** At most twice this number of ids is remembered, for records that are still cached. */
const rememberedIds = 10_000;

export function createTakeLimits({ rateLimiter, usage, clock }: TakeLimitsOptions): TakeLimits {
  const idsOf = createLimitIds();

  /** A key counts as used after it was created, even if the process that created it has a clock that is ahead. */
  const noteUse = (tenant: string, { keyId, createTimeMs }: KeyRecord, nowMs: number) =>
    usage.record(tenant, keyId, Math.max(nowMs, createTimeMs));

  /** `key` and `actor` are what the limits answered. `key` is null if the key has no limit of its own. */
  const conclude = (tenant: string, verified: Verified, key: Asked | null, actor: Asked): Verified => {
    const { record } = verified.verdict;
    const asked = { ...verified, ...(key !== null && { limit: leftOf(key, clock()) }), actorLimit: leftOf(actor, clock()) };
    const refusal = refusalOf(key, actor);
    if (refusal !== null) return { ...asked, verdict: { isValid: false, code: refusal.code, record }, retryAfterMs: refusal.retryAfterMs };
    if (record !== null) noteUse(tenant, record, verified.nowMs);
    return asked;
  };

  /** For a key without another limit, which most limited keys are. */
  const concludeOne = (tenant: string, verified: Verified, policy: RateLimitPolicy, taken: Taken): Verified => {
    const { record } = verified.verdict;
    const limit = leftOf({ policy, taken }, clock());
    if (!taken.admitted) {
      return { ...verified, verdict: { isValid: false, code: "rate_limited", record }, limit, retryAfterMs: taken.retryAfterMs };
    }
    if (record !== null) noteUse(tenant, record, verified.nowMs);
    return { ...verified, limit };
  };

  const takeOne = (tenant: string, verified: Verified, record: KeyRecord, policy: RateLimitPolicy, cost: number) => {
    const taken = rateLimiter.take(tenant, idsOf(record).key, policy, cost);
    return taken instanceof Promise
      ? taken.then((answer) => concludeOne(tenant, verified, policy, answer))
      : concludeOne(tenant, verified, policy, taken);
  };

  const takeFromActor = (tenant: string, verified: Verified, record: KeyRecord, policy: RateLimitPolicy, cost: number) => {
    const taken = rateLimiter.take(tenant, idsOf(record).actor, policy, cost);
    return taken instanceof Promise
      ? taken.then((answer) => conclude(tenant, verified, null, { policy, taken: answer }))
      : conclude(tenant, verified, null, { policy, taken });
  };

  const takeBoth = (tenant: string, verified: Verified, record: KeyRecord, { own, actor }: BothPolicies, cost: number) => {
    const ids = idsOf(record);
    const limits = [
      { id: ids.key, policy: own },
      { id: ids.actor, policy: actor },
    ];
    const taken = rateLimiter.takeAll(tenant, limits, cost);
    const end = ([ofKey, ofActor]: readonly Taken[]): Verified =>
      conclude(tenant, verified, { policy: own, taken: ofKey as Taken }, { policy: actor, taken: ofActor as Taken });
    return taken instanceof Promise ? taken.then(end) : end(taken);
  };

  return (tenant, verified, record, actorPolicy, cost) => {
    const own = record.rateLimitPolicy;
    if (isEnforced(own)) {
      if (actorPolicy === null) return takeOne(tenant, verified, record, own, cost);
      return takeBoth(tenant, verified, record, { own, actor: actorPolicy }, cost);
    }
    if (actorPolicy !== null) return takeFromActor(tenant, verified, record, actorPolicy, cost);
    noteUse(tenant, record, verified.nowMs);
    return verified;
  };
}

interface BothPolicies {
  readonly own: RateLimitPolicy;
  readonly actor: RateLimitPolicy;
}

/** Remembers the ids, because most records are used often and making an id encodes texts. */
function createLimitIds(): (record: KeyRecord) => { readonly key: string; readonly actor: string } {
  const remembered = createBoundedWeakMemory<{ readonly key: string; readonly actor: string }, KeyRecord>(rememberedIds);
  return (record) => {
    const known = remembered.get(record);
    if (known !== undefined) return known;
    const ids = { key: keyLimitId(record), actor: actorLimitId(record.actorId) };
    remembered.set(record, ids);
    return ids;
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
  if (actor.taken.admitted && key?.taken.admitted !== false) return null;
  const refusing = [key, actor].filter((each) => each?.taken.admitted === false) as Asked[];
  const waits = refusing.map(({ taken }) => taken.retryAfterMs);
  const retryAfterMs = waits.some((each) => each === null) ? null : Math.max(...(waits as number[]));
  return { code: key?.taken.admitted === false ? "rate_limited" : "actor_rate_limited", retryAfterMs };
}
