import type { Origin } from "../../core/audit.ts";
import { defaultTenant, tenantOfRecord, tenantRecordId } from "../../core/tenant.ts";
import { Failure } from "../../error/failure.ts";
import { auditEvent } from "../audit.ts";
import { maxAttempts } from "../change.ts";
import { announceEarlierDelete } from "../delete.ts";
import type { KeyService } from "../key-service.ts";
import { concurrentChange, type TenantService } from "./change-tenant.ts";
import { recordsOf, removeRecords } from "./tenant-leftovers.ts";

/**
 * Deletes a suspended tenant without keys. With `force`, deletes its keys first, until the signal aborts; null: no `force`.
 *
 * No key is added between the check for keys and the deletion: whoever adds one sees the suspension (`beginNewKeys`), and a tenant that was
 * resumed meanwhile has another revision than the one to delete.
 *
 * Of concurrent calls, also in several processes, one deletes the tenant, and each key is deleted by one of them. The others reject with
 * TENANT_NOT_FOUND, even if a new tenant of the same name was created meanwhile: it keeps what it has.
 */
export async function deleteTenant(
  { keys, directory }: TenantService,
  origin: Origin,
  tenantId: string,
  force: AbortSignal | null,
): Promise<void> {
  if (tenantId === defaultTenant) throw new Failure("TENANT_NOT_READY", { message: "the tenant default cannot be deleted" });
  const recordId = tenantRecordId(tenantId);
  let firstRevision: number | null = null;
  for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
    const announce = keys.announcer.beginChange(defaultTenant, recordId);
    const record = await keys.store.get(defaultTenant, recordId);
    firstRevision ??= record?.firstRevision ?? null;
    if (record === null || record.firstRevision !== firstRevision) {
      if (record === null) await announceEarlierDelete(keys.store, defaultTenant, recordId, announce);
      throw new Failure("TENANT_NOT_FOUND");
    }
    if (!tenantOfRecord(record).suspended) throw new Failure("TENANT_NOT_READY", { message: "the tenant must be suspended first" });
    if (force !== null) await removeRecords(keys, origin, tenantId, record.revision, force);
    const rest = await whatIsLeft(keys, tenantId);
    if (rest !== null) throw new Failure("TENANT_NOT_READY", { message: `the tenant has ${rest}` });
    const event = auditEvent(keys, origin, [recordId]);
    const revision = await keys.store.delete(defaultTenant, "tenant", recordId, event, { revision: record.revision });
    if (revision === null) continue;
    await announce(null, revision);
    directory.note(tenantId, null);
    return;
  }
  throw concurrentChange();
}

/** Returns what prevents the deletion of a tenant, or null. */
async function whatIsLeft({ store }: KeyService, tenant: string): Promise<string | null> {
  for await (const { kind } of recordsOf(store, tenant)) return kind === "actor_limit" ? "limits of actors" : "keys";
  return null;
}
