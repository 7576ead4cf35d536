import type { VerifierCache } from "../cache/verifier-cache.ts";
import { actorLimitRecordId } from "../core/actor-limit.ts";
import { createBoundedMemory } from "../core/bounded-memory.ts";
import type { KeyRecord, RateLimitPolicy } from "../core/key.ts";
import { memoized } from "../memoized.ts";
import type { TenantSettings } from "./tenants/tenant-settings.ts";

/** The limits that keys of one actor share. */
export interface ActorLimits {
  /**
   * Returns the actor's own limit, or that of the tenant; null: none. The limit is current within the bounds of docs/guarantees.md. Returns
   * a promise only if actors of the tenant have limits and the process does not know this one; it rejects if the store does not answer.
   * Limits in `read` are not read again; throws if `read` has a failure for this actor.
   */
  of(tenant: string, actorId: string, read?: ReadActorLimits): RateLimitPolicy | null | Promise<RateLimitPolicy | null>;
  /**
   * Reads the limits of those actors that the process does not know, with one round trip to each level of the cache and one to the store.
   * Undefined if it knows all. Each actor has its own limit or failure.
   */
  readMissing(tenant: string, actorIds: Iterable<string>): Promise<ReadActorLimits> | undefined;
}

export type ReadActorLimits = ReadonlyMap<string, PromiseSettledResult<RateLimitPolicy | null>>;

export interface ActorLimitsOptions {
  readonly cache: Pick<VerifierCache, "peek" | "reader">;
  readonly settings: Pick<TenantSettings, "of">;
}

/** At most twice this number of digests of actors is remembered. */
const rememberedActors = 5000;

export function createActorLimits({ cache, settings }: ActorLimitsOptions): ActorLimits {
  const recordIdOf = memoized(actorLimitRecordId, createBoundedMemory<string>(rememberedActors));

  const readLimits = async (tenant: string, actorIds: readonly string[]): Promise<ReadActorLimits> => {
    const { actorRateLimitPolicy } = settings.of(tenant);
    const answers = await cache.reader.readMany(tenant, actorIds.map(recordIdOf), "none");
    const read = answers.map((answer) =>
      answer.status === "rejected" ? answer : { ...answer, value: policyOf(answer.value.record, actorRateLimitPolicy) },
    );
    return new Map(actorIds.map((actorId, index) => [actorId, read[index] as PromiseSettledResult<RateLimitPolicy | null>]));
  };

  return {
    of(tenant, actorId, read) {
      const known = read?.get(actorId);
      if (known?.status === "rejected") throw known.reason;
      if (known !== undefined) return known.value;
      const { hasActorLimits, actorRateLimitPolicy } = settings.of(tenant);
      if (actorId === "") return null;
      if (!hasActorLimits) return actorRateLimitPolicy;
      const recordId = recordIdOf(actorId);
      const entry = cache.peek(tenant, recordId);
      if (entry !== undefined) return policyOf(entry.record, actorRateLimitPolicy);
      const answer = cache.reader.read(tenant, recordId, "none");
      return answer instanceof Promise
        ? answer.then(({ record }) => policyOf(record, actorRateLimitPolicy))
        : policyOf(answer.record, actorRateLimitPolicy);
    },

    readMissing(tenant, actorIds) {
      if (!settings.of(tenant).hasActorLimits) return undefined;
      const missing = new Set<string>();
      for (const actorId of actorIds) {
        if (actorId !== "" && cache.peek(tenant, recordIdOf(actorId)) === undefined) missing.add(actorId);
      }
      return missing.size === 0 ? undefined : readLimits(tenant, [...missing]);
    },
  };
}

function policyOf(record: KeyRecord | null, policyOfTenant: RateLimitPolicy | null): RateLimitPolicy | null {
  return record?.rateLimitPolicy ?? policyOfTenant;
}
