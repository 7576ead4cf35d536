import type { Origin } from "../core/audit.ts";
import type { KeyRecord } from "../core/key.ts";
import { defaultTenant, tenantOfRecord, tenantRecordId } from "../core/tenant.ts";
import { Failure } from "../error/failure.ts";
import { auditEvent } from "./audit.ts";
import type { KeyService } from "./key-service.ts";

/**
 * Call after new keys are stored and before they are acknowledged. If their tenant was suspended or deleted meanwhile, removes the keys and
 * rejects with TENANT_SUSPENDED. So no acknowledged key is lost when an empty tenant is deleted: either the deletion finds the key, or this
 * finds the suspension that precedes every deletion.
 */
export async function confirmNewKeys(service: KeyService, tenant: string, origin: Origin, records: readonly KeyRecord[]): Promise<void> {
  // The tenant `default` can neither be suspended nor deleted.
  if (tenant === defaultTenant || records.length === 0) return;
  const { store, announcer } = service;
  const record = await store.get(defaultTenant, tenantRecordId(tenant));
  if (record !== null && !tenantOfRecord(record).suspended) return;
  for (const { kind, keyId } of records) {
    const announce = announcer.beginChange(tenant, keyId);
    const revision = await store.delete(tenant, kind, keyId, auditEvent(service, origin, [keyId]));
    if (revision !== null) await announce(null, revision);
  }
  throw new Failure("TENANT_SUSPENDED");
}
