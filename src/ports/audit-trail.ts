import type { AuditEvent } from "../core/audit.ts";
import { dayMs } from "../core/time-units.ts";

/** How long events are kept by default. */
export const defaultAuditRetentionMs = 400 * dayMs;

export interface AuditQuery {
  /** Only events that name this key. */
  readonly keyId?: string | undefined;
  readonly caller?: string | undefined;
  readonly method?: string | undefined;
  /** Only events at or after this moment. */
  readonly fromMs?: number | undefined;
  /** Only events before this moment. */
  readonly untilMs?: number | undefined;
  /** Only events whose id sorts before this one. */
  readonly beforeEventId?: string | undefined;
  /** At most this many events. */
  readonly limit: number;
}

/** A part of a list of events, like ListPart for keys. */
export interface AuditPart {
  /** In descending order of event ids: the newest first. Fewer than the query's limit does not mean that there are no more. */
  readonly events: readonly AuditEvent[];
  /** The `beforeEventId` of the next part; null after the last part. */
  readonly lastEventId: string | null;
}

/**
 * Who did what to which key, kept for the configured retention time. The event of a change is written together with the change (see
 * KeyStore), so neither exists without the other. This port adds the events that belong to no change.
 */
export interface AuditTrail {
  /** Adds events, each in a separate step. Skips events that already exist, so that a failed call can be repeated. */
  append(tenant: string, events: readonly AuditEvent[]): Promise<void>;

  list(tenant: string, query: AuditQuery): Promise<AuditPart>;
}
