import type { AnnounceChange } from "../cache/announce.ts";
import type { Origin } from "../core/audit.ts";
import type { KeyRecord } from "../core/key.ts";
import { Failure } from "../error/failure.ts";
import type { KeyStore } from "../ports/key-store.ts";
import { auditEvent } from "./audit.ts";
import type { KeyService } from "./key-service.ts";

/** Deletes an imported key and its record. Rejects with KEY_NOT_FOUND, also for an issued key: issued keys can only be revoked. */
export async function deleteImportedKey(service: KeyService, tenant: string, origin: Origin, keyId: string): Promise<void> {
  const announce = service.announcer.beginChange(tenant, keyId);
  const tombstoneRevision = await service.store.delete(tenant, "imported", keyId, auditEvent(service, origin, [keyId]));
  if (tombstoneRevision === null) {
    await announceEarlierDelete(service.store, tenant, keyId, announce);
    throw new Failure("KEY_NOT_FOUND");
  }
  await announce(null, tombstoneRevision);
}

/**
 * Call it before a response says that a record which cannot be deleted does not exist. The caller that deleted it may not have announced it
 * yet, or may have died before it could.
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

/** Deletes a record of a tenant that is gone or going, unless the record has changed since it was read. */
export async function deleteRecord(
  service: KeyService,
  tenant: string,
  origin: Origin,
  { kind, keyId, revision }: KeyRecord,
): Promise<void> {
  const announce = service.announcer.beginChange(tenant, keyId);
  const tombstoneRevision = await service.store.delete(tenant, kind, keyId, auditEvent(service, origin, [keyId]), revision);
  if (tombstoneRevision !== null) await announce(null, tombstoneRevision);
}
