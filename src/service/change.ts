import type { Origin } from "../core/audit.ts";
import type { KeyRecord } from "../core/key.ts";
import { overridableFields } from "../core/key-fields.ts";
import { isSettingRecordId } from "../core/setting-record.ts";
import { Failure } from "../error/failure.ts";
import { auditEvent, changedFields } from "./audit.ts";
import type { KeyService } from "./key-service.ts";

export const maxAttempts = 50;

/**
 * Changes a key. Reads it, calls `next` for the changes (null: nothing to change), writes the new record over the revision that was read,
 * together with an audit event, and announces it to the caches before it returns. Tries again if the key changed in between. Rejects with
 * KEY_NOT_FOUND, or with CONCURRENT_CHANGE after 50 attempts.
 */
export async function changeKey(
  service: KeyService,
  tenant: string,
  origin: Origin,
  keyId: string,
  next: (record: KeyRecord) => Partial<KeyRecord> | null,
): Promise<KeyRecord> {
  const { store, announcer, clock } = service;
  for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
    const announce = announcer.beginChange(tenant, keyId);
    const record = await store.get(tenant, keyId);
    if (record === null || isSettingRecordId(keyId)) throw new Failure("KEY_NOT_FOUND");
    const change = whatNext(record, next);
    if (change === null || change instanceof Failure) {
      // The caller that made the last change may not have announced it yet, but this response says what the key is now.
      await announce(record, record.revision);
      if (change instanceof Failure) throw change;
      return record;
    }
    const changed = { ...record, ...change, revision: record.revision + 1, updateTimeMs: clock() };
    const revocationReason = change.revocation?.reason ?? null;
    const event = auditEvent(service, origin, [keyId], {
      changedFields: changedFields(overridableFields, record, change),
      revocationReason,
    });
    if (await store.replace(tenant, changed, event)) {
      await announce(changed, changed.revision);
      return changed;
    }
  }
  throw new Failure("CONCURRENT_CHANGE");
}

/** Returns a Failure that says that the key is not active. */
function whatNext<Change>(record: KeyRecord, next: (record: KeyRecord) => Change): Change | Failure {
  try {
    return next(record);
  } catch (error) {
    if (error instanceof Failure && error.reason === "KEY_NOT_ACTIVE") return error;
    throw error;
  }
}
