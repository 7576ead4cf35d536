import type { Origin } from "../core/audit.ts";
import type { KeyAttributes, KeyKind, KeyRecord } from "../core/key.ts";
import { Failure } from "../error/failure.ts";
import { changeKey } from "./change.ts";
import type { KeyService } from "./key-service.ts";

export interface UpdateRequest {
  readonly kind: KeyKind;
  readonly keyId: string;
  /** Only what is to be written. */
  readonly attributes: Partial<KeyAttributes>;
  /** Throws for what the request says of fields that cannot change. */
  readonly checkImmutable: (record: KeyRecord) => void;
}

/** Writes attributes of a key. Of a revoked or expired one too: it stays what it is. */
export function updateKey(service: KeyService, tenant: string, origin: Origin, request: UpdateRequest): Promise<KeyRecord> {
  return changeKey(service, tenant, origin, request.keyId, (record) => {
    if (record.kind !== request.kind) throw new Failure("KEY_NOT_FOUND");
    request.checkImmutable(record);
    return Object.keys(request.attributes).length === 0 ? null : request.attributes;
  });
}
