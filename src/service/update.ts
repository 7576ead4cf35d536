import type { Origin } from "../core/audit.ts";
import type { KeyAttributes, KeyKind, KeyRecord } from "../core/key.ts";
import { Failure } from "../error/failure.ts";
import { changeKey } from "./change.ts";
import type { KeyService } from "./key-service.ts";

export interface UpdateRequest {
  readonly kind: KeyKind;
  readonly keyId: string;
  /** The attributes to write. Others stay as they are. */
  readonly attributes: Partial<KeyAttributes>;
  /** Throws if the request may not change this key in this way. */
  readonly check: (record: KeyRecord) => void;
}

/** Writes attributes of a key. A revoked or expired key can be updated too, and stays revoked or expired. */
export function updateKey(service: KeyService, tenant: string, origin: Origin, request: UpdateRequest): Promise<KeyRecord> {
  return changeKey(service, tenant, origin, request.keyId, (record) => {
    if (record.kind !== request.kind) throw new Failure("KEY_NOT_FOUND");
    request.check(record);
    return Object.keys(request.attributes).length === 0 ? null : request.attributes;
  });
}
