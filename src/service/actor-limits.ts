import type { VerifierCache } from "../cache/verifier-cache.ts";
import { actorLimitRecordId } from "../core/actor-limit.ts";
import type { KeyRecord, RateLimitPolicy } from "../core/key.ts";
import type { TenantSettings } from "./tenant-settings.ts";

/** The limits that keys of one actor share. */
export interface ActorLimits {
  /**
   * Returns the actor's own limit, or that of the tenant; null: none. The limit is current within the bounds of docs/guarantees.md. Returns
   * a promise only if actors of the tenant have limits and the process does not know this one; it rejects if the store does not answer.
   */
  of(tenant: string, actorId: string): RateLimitPolicy | null | Promise<RateLimitPolicy | null>;
}

export interface ActorLimitsOptions {
  readonly cache: Pick<VerifierCache, "peek" | "reader">;
  readonly settings: Pick<TenantSettings, "of">;
}

export function createActorLimits({ cache, settings }: ActorLimitsOptions): ActorLimits {
  return {
    of(tenant, actorId) {
      const { hasActorLimits, actorRateLimitPolicy } = settings.of(tenant);
      if (actorId === "") return null;
      if (!hasActorLimits) return actorRateLimitPolicy;
      const policyOf = (record: KeyRecord | null) => record?.rateLimitPolicy ?? actorRateLimitPolicy;
      const recordId = actorLimitRecordId(actorId);
      const entry = cache.peek(tenant, recordId);
      if (entry !== undefined) return policyOf(entry.record);
      const answer = cache.reader.read(tenant, recordId, "none");
      return answer instanceof Promise ? answer.then(({ record }) => policyOf(record)) : policyOf(answer.record);
    },
  };
}
