import type { Origin } from "../core/audit.ts";
import type { KeyRecord } from "../core/key.ts";
import { Failure } from "../error/failure.ts";
import { changeKey } from "./change.ts";
import type { KeyService } from "./key-service.ts";

export interface DisableRequest {
  readonly keyId: string;
  /** True: disable; false: enable. */
  readonly disabled: boolean;
  /** Throws if the caller may not change this key in this way. */
  readonly check: (record: KeyRecord) => void;
}

/**
 * Disables a key, or enables it again. If the key already is in that state, succeeds and changes nothing. An expired key can be disabled
 * and enabled too, and stays expired. Rejects with KEY_NOT_FOUND, and with KEY_NOT_ACTIVE for a revoked key, because revocation is
 * permanent.
 */
export function setDisabled(
  service: KeyService,
  tenant: string,
  origin: Origin,
  { keyId, disabled, check }: DisableRequest,
): Promise<KeyRecord> {
  return changeKey(service, tenant, origin, keyId, (record) => {
    check(record);
    if (record.revocation !== null) throw new Failure("KEY_NOT_ACTIVE", { message: "the key is revoked" });
    return record.disabled === disabled ? null : { disabled };
  });
}
