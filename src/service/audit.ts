import { isDeepStrictEqual } from "node:util";
import type { AuditEvent, Origin } from "../core/audit.ts";
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

/** The proto names of the fields in which `change` differs. `names` has the proto names of the fields to compare. */
export function changedFields<T>(names: Partial<Record<keyof T, string>>, before: T, change: Partial<T>): string[] {
  const fields = Object.keys(names) as (keyof T)[];
  return fields.flatMap((field) => {
    const isChanged = change[field] !== undefined && !isDeepStrictEqual(change[field], before[field]);
    return isChanged ? [names[field] as string] : [];
  });
}
