import type { Origin } from "../../core/audit.ts";
import { defaultTenant, tenantOfRecord, tenantRecordId } from "../../core/tenant.ts";
import { Failure } from "../../error/failure.ts";
import { deleteRecords, inParts, type Unwanted } from "../delete-records.ts";
import type { KeyService } from "../key-service.ts";

/** Call it after new keys are stored and before they are acknowledged. */
export type ConfirmNewKeys = (records: readonly Unwanted[]) => Promise<void>;

/**
 * Begin with it an operation that adds keys, before the settings of the tenant are used. The function that it returns removes the keys and
 * rejects with TENANT_SUSPENDED if the tenant was suspended or deleted meanwhile, even if it was then created again. The request ids may
 * then be used again. So no acknowledged key is lost when an empty tenant is deleted: either the deletion finds the key, or this finds the
 * suspension that precedes every deletion.
 */
export function beginNewKeys(service: KeyService, tenant: string, origin: Origin): ConfirmNewKeys {
  const isInForce = watchTenant(service, tenant);
  return async (records) => {
    if (records.length === 0 || (await isInForce())) return;
    await deleteRecords(service, tenant, origin, inParts(records));
    throw new Failure("TENANT_SUSPENDED");
  };
}

/**
 * The function that it returns asks the store whether the tenant is neither suspended nor deleted, nor another one of the same name that
 * was created since `watchTenant` was called.
 */
export function watchTenant({ store, tenantSettings }: Watched, tenant: string): () => Promise<boolean> {
  // It can neither be suspended nor deleted.
  if (tenant === defaultTenant) return async () => true;
  const firstRevision = tenantSettings.firstRevisionOf(tenant);
  return async () => {
    const current = await store.get(defaultTenant, tenantRecordId(tenant));
    return current !== null && current.firstRevision === firstRevision && !tenantOfRecord(current).suspended;
  };
}

type Watched = Pick<KeyService, "store" | "tenantSettings">;
