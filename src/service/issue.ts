import type { Origin } from "../core/audit.ts";
import { digestOf } from "../core/credential.ts";
import type { KeyRecord } from "../core/key.ts";
import { createUlid } from "../core/ulid.ts";
import { Failure } from "../error/failure.ts";
import { auditEvent } from "./audit.ts";
import { unwanted } from "./delete-records.ts";
import type { KeyService } from "./key-service.ts";
import { type NewKeyRequest, newRecord, quotaExhausted, recordOfRequest, requestMark } from "./new-key.ts";
import { beginNewKeys } from "./tenants/tenant-fence.ts";

/** `secret` is null if the request id was replayed: a secret is shown only once. */
export interface Issued {
  readonly record: KeyRecord;
  readonly secret: string | null;
}

/** Issues a key. Rejects with REQUEST_ID_REUSED if the request id was used with a different payload, and with KEY_QUOTA_EXHAUSTED. */
export async function issueKey(service: KeyService, tenant: string, origin: Origin, request: NewKeyRequest): Promise<Issued> {
  const confirmNewKeys = beginNewKeys(service, tenant, origin);
  const minted = mintKey(service, tenant, request);
  const mark = requestMark(request, null);
  const result = await service.store.insert(tenant, minted.record, mark, auditEvent(service, origin, [minted.record.keyId]));
  switch (result.outcome) {
    case "inserted":
      await confirmNewKeys([unwanted(result.record, mark)]);
      return { record: result.record, secret: minted.secret };
    case "request_id_used": {
      const record = recordOfRequest(result, mark);
      if (record instanceof Failure) throw record;
      return { record, secret: null };
    }
    case "quota_exhausted":
      throw quotaExhausted(tenant, result);
    case "batch_repeated":
    case "key_id_used":
      throw new Error("a new ULID is already in use");
  }
}

/** Makes a key and its secret. Nothing is stored. */
export function mintKey(service: KeyService, tenant: string, request: NewKeyRequest): { record: KeyRecord; secret: string } {
  const { credentials, clock, randomBytes } = service;
  const keyId = createUlid(clock(), randomBytes);
  const secret = credentials.mint(tenant, keyId, request.visibility);
  return { record: newRecord(service, tenant, { kind: "issued", keyId, digest: digestOf(secret) }, request), secret };
}
