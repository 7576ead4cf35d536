import { isDeepStrictEqual } from "node:util";
import type { AuditEvent, Origin } from "../core/audit.ts";
import type { KeyRecord } from "../core/key.ts";
import { overridableFields } from "../core/key-fields.ts";
import { createUlid } from "../core/ulid.ts";
import type { KeyService } from "./key-service.ts";

/** Makes the audit event of a change, before the change is made. */
export function auditEvent(
  { clock, randomBytes }: Pick<KeyService, "clock" | "randomBytes">,
  origin: Origin,
  keyIds: readonly string[],
  more: Partial<Pick<AuditEvent, "changedFields" | "revocationReason" | "errorReason">> = {},
): AuditEvent {
  const timeMs = clock();
  const eventId = createUlid(timeMs, randomBytes);
  return { ...origin, eventId, timeMs, keyIds, changedFields: [], revocationReason: null, errorReason: null, ...more };
}

/** The proto names of the overridable fields in which `change` differs from the record. */
export function changedFields(record: KeyRecord, change: Partial<KeyRecord>): string[] {
  return Object.entries(overridableFields)
    .filter(([name]) => {
      const field = name as keyof typeof overridableFields;
      return change[field] !== undefined && !isDeepStrictEqual(change[field], record[field]);
    })
    .map(([, protoName]) => protoName);
}
