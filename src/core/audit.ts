import type { Reason } from "../error/table.ts";
import type { RevocationReason } from "./key.ts";
import { ulidTime } from "./ulid.ts";

/** Who made a call, and which call it was. */
export interface Origin {
  /** The name of the RPC, such as `AdminRevokeApiKey`. */
  readonly method: string;
  /** The name of the caller's token, or its subject. Empty if the caller is not known, as in self-revocation. */
  readonly caller: string;
  /** The IP address that the call came from, in canonical form. At most 39 characters. Empty if unknown. */
  readonly clientAddress: string;
  /** The X-Request-Id of the call. */
  readonly requestId: string;
}

/** A change of keys, or a refused call, in the audit trail. Contains names of fields, never their values, and no secret. */
export interface AuditEvent extends Origin {
  /** A ULID of `timeMs`, so that ids sort by time. */
  readonly eventId: string;
  readonly timeMs: number;
  /** One key id. Two for a rotation, the old one first. All keys that a bulk write added. None if the call was refused. */
  readonly keyIds: readonly string[];
  /** The fields that an update changed or a rotation replaced, by their names in proto. */
  readonly changedFields: readonly string[];
  /** Null if no key was revoked. */
  readonly revocationReason: RevocationReason | null;
  /** Null if the call succeeded. */
  readonly errorReason: Reason | null;
}

/** Sorts after every ULID. */
const afterAllIds = "~";

/**
 * The range of ids of the events at or after `fromMs`, before `untilMs` and below `beforeEventId`. A bound that is undefined does not limit
 * the range. The ids are at least `fromId` and below `untilId`.
 */
export function eventIdRange(bounds: {
  readonly fromMs?: number | undefined;
  readonly untilMs?: number | undefined;
  readonly beforeEventId?: string | undefined;
}): { readonly fromId: string; readonly untilId: string } {
  const { fromMs, untilMs, beforeEventId = afterAllIds } = bounds;
  const untilId = untilMs === undefined ? afterAllIds : ulidTime(untilMs);
  return { fromId: fromMs === undefined ? "" : ulidTime(fromMs), untilId: untilId < beforeEventId ? untilId : beforeEventId };
}
