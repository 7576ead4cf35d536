import type { Reason } from "../error/table.ts";
import type { RevocationReason } from "./key.ts";
import { ulidTime } from "./ulid.ts";

/** Who asks for a change, and by which call. */
export interface Origin {
  /** The RPC: "AdminRevokeApiKey". */
  readonly method: string;
  /** Name of the caller's token, or its subject; empty: nobody in particular, as in self-revocation. */
  readonly caller: string;
  /** The client's IP address in its canonical form, at most 39 characters; empty if it is unknown. */
  readonly clientAddress: string;
  /** The call's X-Request-Id. */
  readonly requestId: string;
}

/** One change of keys, or one refused attempt, as the audit trail keeps it. Holds names of fields, never their values, and no secret. */
export interface AuditEvent extends Origin {
  /** A ULID of `timeMs`, so that ids sort by time. */
  readonly eventId: string;
  readonly timeMs: number;
  /** One; two for a rotation, the old one first; all that a bulk write added; none where the call was refused. */
  readonly keyIds: readonly string[];
  /** What an update changed or a rotation replaced, in proto names. */
  readonly changedFields: readonly string[];
  /** Null where no key was revoked. */
  readonly revocationReason: RevocationReason | null;
  /** Null where the call succeeded. */
  readonly errorReason: Reason | null;
}

/** Sorts after every ULID. */
const afterAllIds = "~";

/** The ids of events at or after `fromMs`, before `untilMs` and below `beforeEventId`, as far as these are given: from `fromId` on, below `untilId`. */
export function eventIdRange(bounds: {
  readonly fromMs?: number | undefined;
  readonly untilMs?: number | undefined;
  readonly beforeEventId?: string | undefined;
}): { readonly fromId: string; readonly untilId: string } {
  const { fromMs, untilMs, beforeEventId = afterAllIds } = bounds;
  const untilId = untilMs === undefined ? afterAllIds : ulidTime(untilMs);
  return { fromId: fromMs === undefined ? "" : ulidTime(fromMs), untilId: untilId < beforeEventId ? untilId : beforeEventId };
}
