import type { AuditEvent } from "../core/audit.ts";

/** How long events are kept where nothing else is said. */
export const defaultAuditRetentionMs = 400 * 86_400_000;

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

/** A part of a list, as ListPart is one of keys. */
export interface AuditPart {
  /** In descending order of event ids: the newest first. Fewer than the query's limit does not mean that there are no more. */
  readonly events: readonly AuditEvent[];
  /** The `beforeEventId` to go on with; null: there are no more. */
  readonly lastEventId: string | null;
}

/**
 * Who did what to which key, for as long as the installation keeps it. Events of changes come in with the change (see KeyStore), so that neither
 * is there without the other; here are those that have no change to go with.
 */
export interface AuditTrail {
  /** Adds events, each in a step of its own. One that is there already is passed over, so that a call that failed can be made again. */
  append(tenant: string, events: readonly AuditEvent[]): Promise<void>;

  list(tenant: string, query: AuditQuery): Promise<AuditPart>;
}
