import { type ActorLimit, actorLimitOfRecord, actorLimitRecordId, newActorLimitRecord } from "../core/actor-limit.ts";
import type { Origin } from "../core/audit.ts";
import type { RateLimitPolicy } from "../core/key.ts";
import { Failure } from "../error/failure.ts";
import { auditEvent } from "./audit.ts";
import { maxAttempts } from "./change.ts";
import { type Deleting, deleteOne } from "./delete.ts";
import { noteActorLimits, type TenantService } from "./tenants/change-tenant.ts";
import { beginNewKeys, watchTenant } from "./tenants/tenant-fence.ts";

/** Sets or changes the limit that the keys of an actor share. The actor need not have keys. */
export async function setActorLimit(
  service: TenantService,
  tenant: string,
  origin: Origin,
  actorId: string,
  policy: RateLimitPolicy,
): Promise<ActorLimit> {
  const confirmNewKeys = beginNewKeys(service.keys, tenant, origin);
  const isInForce = watchTenant(service.keys, tenant);
  await noteActorLimits(service, origin, tenant);
  const { store, announcer, clock } = service.keys;
  const recordId = actorLimitRecordId(actorId);
  for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
    const announce = announcer.beginChange(tenant, recordId);
    const event = auditEvent(service.keys, origin, [recordId], { changedFields: ["rate_limit_policy"] });
    const record = await store.get(tenant, recordId);
    if (record === null) {
      const inserted = await store.insert(tenant, newActorLimitRecord(actorId, policy, clock()), null, event);
      if (inserted.outcome !== "inserted") continue;
      await announce(inserted.record, inserted.record.revision);
      await confirmNewKeys([inserted.record]);
      return actorLimitOfRecord(inserted.record);
    }
    // The limit that was read may be that of a new tenant of the same name. If that tenant is created only after this, the limit that was
    // read is deleted by then, and is not replaced.
    if (!(await isInForce())) throw new Failure("TENANT_SUSPENDED");
    const changed = { ...record, rateLimitPolicy: policy, revision: record.revision + 1, updateTimeMs: clock() };
    if (await store.replace(tenant, changed, event)) {
      await announce(changed, changed.revision);
      return actorLimitOfRecord(changed);
    }
  }
  throw new Failure("CONCURRENT_CHANGE", { message: "another call changed the limit at the same time; try again" });
}

/** Removes the limit of an actor, so that the limit of the tenant applies if it has one. Rejects with ACTOR_LIMIT_NOT_FOUND. */
export async function removeActorLimit(keys: Deleting, tenant: string, origin: Origin, actorId: string): Promise<void> {
  if (!(await deleteOne(keys, tenant, origin, "actor_limit", actorLimitRecordId(actorId)))) throw new Failure("ACTOR_LIMIT_NOT_FOUND");
}
