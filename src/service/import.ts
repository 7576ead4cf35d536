import type { Origin } from "../core/audit.ts";
import type { KeyRecord } from "../core/key.ts";
import { Failure } from "../error/failure.ts";
import type { InsertOutcome, RequestMark } from "../ports/key-store.ts";
import { auditEvent } from "./audit.ts";
import { unwanted } from "./delete-records.ts";
import { type ImportKey, idsInUse, importIdsOf, refusalIfUsed } from "./import-ids.ts";
import type { KeyService } from "./key-service.ts";
import { type NewKeyRequest, newRecord, quotaExhausted, recordOfRequest, requestMark } from "./new-key.ts";
import { beginNewKeys } from "./tenants/tenant-fence.ts";

export interface ImportRequest extends NewKeyRequest {
  readonly key: ImportKey;
}

/**
 * Imports a key of another system. Rejects with INVALID_REQUEST on `raw_key` if it cannot be an imported key, with KEY_ALREADY_EXISTS if it
 * was imported before, also under a retired server secret, with REQUEST_ID_REUSED, and with KEY_QUOTA_EXHAUSTED.
 */
export async function importKey(service: KeyService, tenant: string, origin: Origin, request: ImportRequest): Promise<KeyRecord> {
  const confirmNewKeys = beginNewKeys(service, tenant, origin);
  const ids = importIdsOf(service, tenant, request.key);
  if (ids instanceof Failure) throw ids;
  const refusal = refusalIfUsed(ids, await idsInUse(service, tenant, [ids]));
  if (refusal !== null) throw refusal;
  const { keyId } = ids;
  const { record, mark } = newImport(service, tenant, keyId, request);
  const announce = service.announcer.beginChange(tenant, keyId);
  const outcome = await service.store.insert(tenant, record, mark, auditEvent(service, origin, [keyId]));
  const imported = recordOrFailure(tenant, outcome, mark);
  if (imported instanceof Failure) throw imported;
  if (outcome.outcome === "inserted") await confirmNewKeys([unwanted(imported, mark)]);
  // Verifiers may have cached that the key does not exist or was deleted.
  await announce(imported, imported.revision);
  return imported;
}

/** The record of a new imported key, and the mark of its request. */
function newImport(
  service: KeyService,
  tenant: string,
  keyId: string,
  request: ImportRequest,
): { record: KeyRecord; mark: RequestMark | null } {
  return { record: newRecord(service, tenant, { kind: "imported", keyId, digest: "" }, request), mark: requestMark(request, keyId) };
}

/** The same for an item of a batch, which fails alone. */
export function newImportOrFailure(
  service: KeyService,
  tenant: string,
  keyId: string,
  request: ImportRequest,
): ReturnType<typeof newImport> | Failure {
  try {
    return newImport(service, tenant, keyId, request);
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
}

/** The record that an insert returned: the new one, or that of an earlier call with the same request id. If there is none, the Failure. */
export function recordOrFailure(tenant: string, outcome: InsertOutcome, mark: RequestMark | null): KeyRecord | Failure {
  switch (outcome.outcome) {
    case "inserted":
      return outcome.record;
    case "batch_repeated":
      throw new Error("a batch's mark without a batch");
    case "request_id_used":
      return recordOfRequest(outcome, mark);
    case "quota_exhausted":
      return quotaExhausted(tenant, outcome);
    case "key_id_used":
      return new Failure("KEY_ALREADY_EXISTS");
  }
}
