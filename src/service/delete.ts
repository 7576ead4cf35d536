import type { AnnounceChange } from "../cache/announce.ts";
import type { Origin } from "../core/audit.ts";
import type { KeyKind } from "../core/key.ts";
import { Failure } from "../error/failure.ts";
import type { KeyStore } from "../ports/key-store.ts";
import { auditEvent } from "./audit.ts";
import { maxAttempts } from "./change.ts";
import type { KeyService } from "./key-service.ts";
import { watchTenant } from "./tenants/tenant-fence.ts";

/** The dependencies of a deletion. */
export type Deleting = Pick<KeyService, "store" | "announcer" | "clock" | "randomBytes" | "tenantSettings">;

/** Deletes an imported key and its record. Rejects with KEY_NOT_FOUND, also for an issued key: issued keys can only be revoked. */
export async function deleteImportedKey(service: Deleting, tenant: string, origin: Origin, keyId: string): Promise<void> {
  if (!(await deleteOne(service, tenant, origin, "imported", keyId))) throw new Failure("KEY_NOT_FOUND");
}

/**
 * The caller that deleted the record may not have announced it yet, or may have died before it could. But the response says that there is
 * no record.
 */
export async function announceEarlierDelete(
  store: Pick<KeyStore, "tombstoneRevision">,
  tenant: string,
  keyId: string,
  announce: AnnounceChange,
): Promise<void> {
  const revision = await store.tombstoneRevision(tenant, keyId);
  if (revision !== null) await announce(null, revision);
}

/**
 * Deletes one record of a tenant. Returns false if there is none. Rejects with TENANT_SUSPENDED if the tenant was suspended or deleted
 * meanwhile: a new tenant of the same name keeps its record.
 */
export async function deleteOne(service: Deleting, tenant: string, origin: Origin, kind: KeyKind, keyId: string): Promise<boolean> {
  const isInForce = watchTenant(service, tenant);
  const { store, announcer } = service;
  for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
    const announce = announcer.beginChange(tenant, keyId);
    const record = await store.get(tenant, keyId);
    if (record?.kind !== kind) {
      await announceEarlierDelete(store, tenant, keyId, announce);
      return false;
    }
    // If a new tenant is created only after this, the record that was read is deleted by then.
    if (!(await isInForce())) throw new Failure("TENANT_SUSPENDED");
    const event = auditEvent(service, origin, [keyId]);
    const tombstoneRevision = await store.delete(tenant, kind, keyId, event, { revision: record.revision });
    if (tombstoneRevision === null) continue;
    await announce(null, tombstoneRevision);
    return true;
  }
  throw new Failure("CONCURRENT_CHANGE");
}
