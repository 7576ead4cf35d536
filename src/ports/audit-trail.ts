import type { AuditEvent } from "../core/audit.ts";

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

/**
 * Who did what to which key, for as long as the installation keeps it. Events of changes come in with the change (see KeyStore), so that neither
 * is there without the other; here are those that have no change to go with.
 */
export interface AuditTrail {
  /** Adds events in one step. */
  append(tenant: string, events: readonly AuditEvent[]): Promise<void>;

  /** In descending order of event ids: the newest first. */
  list(tenant: string, query: AuditQuery): Promise<AuditEvent[]>;
}
