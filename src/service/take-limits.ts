import { andThen } from "../and-then.ts";
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

  /** `key` and `actor` are what their limits answered. Null: there is no such limit. */
  const conclude = (tenant: string, verified: Verified, key: Asked | null, actor: Asked | null): Verified => {
    const { record } = verified.verdict;
    const nowMs = clock();
    const limited: { -readonly [Member in keyof Verified]: Verified[Member] } = { ...verified };
    if (key !== null) limited.limit = leftOf(key, nowMs);
    if (actor !== null) limited.actorLimit = leftOf(actor, nowMs);
    const refusal = refusalOf(key, actor);
    if (refusal !== null)
      return { ...limited, verdict: { isValid: false, code: refusal.code, record }, retryAfterMs: refusal.retryAfterMs };
    if (record !== null) noteUse(tenant, record, verified.nowMs);
    return limited;
  };

  return (tenant, verified, record, actorPolicy, cost) => {
    const { rateLimitPolicy } = record;
    const keyPolicy = isEnforced(rateLimitPolicy) ? rateLimitPolicy : null;
    if (keyPolicy !== null && actorPolicy !== null) {
      const ids = idsOf(record);
      const limits = [
        { id: ids.key, policy: keyPolicy },
        { id: ids.actor, policy: actorPolicy },
      ];
      return andThen(rateLimiter.takeAll(tenant, limits, cost), ([ofKey, ofActor]) =>
        conclude(tenant, verified, { policy: keyPolicy, taken: ofKey as Taken }, { policy: actorPolicy, taken: ofActor as Taken }),
      );
    }
    if (keyPolicy !== null) {
      const taken = rateLimiter.take(tenant, idsOf(record).key, keyPolicy, cost);
      return andThen(taken, (answer) => conclude(tenant, verified, { policy: keyPolicy, taken: answer }, null));
    }
    if (actorPolicy !== null) {
      const taken = rateLimiter.take(tenant, idsOf(record).actor, actorPolicy, cost);
      return andThen(taken, (answer) => conclude(tenant, verified, null, { policy: actorPolicy, taken: answer }));
    }
    noteUse(tenant, record, verified.nowMs);
    return verified;
  };
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
function refusalOf(
  key: Asked | null,
  actor: Asked | null,
): { code: "rate_limited" | "actor_rate_limited"; retryAfterMs: number | null } | null {
  if (key?.taken.admitted !== false && actor?.taken.admitted !== false) return null;
  const refusing = [key, actor].filter((each) => each?.taken.admitted === false) as Asked[];
  const waits = refusing.map(({ taken }) => taken.retryAfterMs);
  const retryAfterMs = waits.some((each) => each === null) ? null : Math.max(...(waits as number[]));
  return { code: refusing[0] === key ? "rate_limited" : "actor_rate_limited", retryAfterMs };
}
