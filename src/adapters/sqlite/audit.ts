import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from "node:sqlite";
import { type AuditEvent, eventIdRange } from "../../core/audit.ts";
import { memoized } from "../../memoized.ts";
import type { AuditPart, AuditQuery } from "../../ports/audit-trail.ts";

export interface Audit {
  /** Adds an event. Call it in the transaction of the change that the event describes. Skips an event that exists. */
  add(tenant: string, event: AuditEvent): void;
  list(tenant: string, query: AuditQuery): AuditPart;
}

const columns = [
  "event_id",
  "time_ms",
  "method",
  "caller",
  "client_address",
  "request_id",
  "key_ids",
  "changed_fields",
  "revocation_reason",
  "error_reason",
] as const;

/** Maximum events checked in one step, as for lists of keys. */
export const maxEventsPerStep = 2000;
/** Maximum events read in one step: an event may name 1000 keys. */
const maxReadPerStep = 50;

/**
 * Where the events of one combination of filters are found: in the index of the most selective filter given. A key has few events, a method
 * has fewer than a caller, and often there is only one caller. The other filters are also checked in that index. The index is named for the
 * reason given at `listSql`.
 */
function sourceOf(byKey: boolean, byMethod: boolean, byCaller: boolean): { readonly source: string; readonly first: string | null } {
  if (byKey) return { source: "audit_event_keys", first: "key_id = $keyId" };
  if (byMethod) return { source: "audit_events INDEXED BY audit_events_by_method", first: "method = $method" };
  if (byCaller) return { source: "audit_events INDEXED BY audit_events_by_caller", first: "caller = $caller" };
  return { source: "audit_events", first: null };
}

const inRange = ["tenant = $tenant", "event_id >= $fromId", "event_id < $untilId"];

export function auditSql(byKey: boolean, byMethod: boolean, byCaller: boolean): string {
  const { source } = sourceOf(byKey, byMethod, byCaller);
  const conditions = [...inRange];
  if (byKey) conditions.push("key_id = $keyId");
  if (byMethod) conditions.push("method = $method");
  if (byCaller) conditions.push("caller = $caller");
  return `SELECT ${columns.map((column) => `audit_events.${column}`).join(", ")}
    FROM (SELECT event_id FROM ${source} WHERE ${conditions.join(" AND ")} ORDER BY event_id DESC LIMIT $limit) AS page
    CROSS JOIN audit_events ON audit_events.tenant = $tenant AND audit_events.event_id = page.event_id
    ORDER BY page.event_id DESC`;
}

/** Finds the last event of a step; returns nothing if the step reaches the end. Null for filters that the index can seek directly. */
function auditStepSql(byKey: boolean, byMethod: boolean, byCaller: boolean): string | null {
  if (Number(byKey) + Number(byMethod) + Number(byCaller) < 2) return null;
  const { source, first } = sourceOf(byKey, byMethod, byCaller);
  return `SELECT event_id FROM ${source} WHERE ${[...inRange, first].join(" AND ")} ORDER BY event_id DESC LIMIT 1 OFFSET ${maxEventsPerStep - 1}`;
}

export function prepareAudit(database: DatabaseSync): Audit {
  const insertEvent = database.prepare(
    `INSERT INTO audit_events (${columns.join(", ")}, tenant) VALUES (${columns.map(() => "?").join(", ")}, ?) ON CONFLICT DO NOTHING`,
  );
  const insertKey = database.prepare("INSERT INTO audit_event_keys (tenant, key_id, event_id, method, caller) VALUES (?, ?, ?, ?, ?)");
  const prepared = memoized((sql: string): StatementSync => {
    const statement = database.prepare(sql);
    statement.setAllowUnknownNamedParameters(true);
    return statement;
  });

  return {
    add(tenant, event) {
      if (insertEvent.run(...valuesOf(event), tenant).changes === 0) return;
      for (const keyId of event.keyIds) insertKey.run(tenant, keyId, event.eventId, event.method, event.caller);
    },

    list(tenant, query) {
      const { keyId = "", method = "", caller = "" } = query;
      const { fromId, untilId } = eventIdRange(query);
      const given = { tenant, fromId, untilId, keyId, method, caller };
      const filters = [query.keyId !== undefined, query.method !== undefined, query.caller !== undefined] as const;
      const stepStatement = auditStepSql(...filters);
      const last = stepStatement === null ? undefined : (prepared(stepStatement).get(given) as { event_id: string } | undefined);
      const limit = Math.min(query.limit, maxReadPerStep);
      const events = prepared(auditSql(...filters))
        .all({ ...given, fromId: last?.event_id ?? fromId, limit })
        .map(eventOfRow);
      return { events, lastEventId: events.length === limit ? (events.at(-1)?.eventId ?? null) : (last?.event_id ?? null) };
    },
  };
}

function valuesOf(event: AuditEvent): SQLInputValue[] {
  return [
    event.eventId,
    event.timeMs,
    event.method,
    event.caller,
    event.clientAddress,
    event.requestId,
    JSON.stringify(event.keyIds),
    JSON.stringify(event.changedFields),
    event.revocationReason,
    event.errorReason,
  ];
}

interface EventRow {
  readonly event_id: string;
  readonly time_ms: number;
  readonly method: string;
  readonly caller: string;
  readonly client_address: string;
  readonly request_id: string;
  readonly key_ids: string;
  readonly changed_fields: string;
  readonly revocation_reason: AuditEvent["revocationReason"];
  readonly error_reason: AuditEvent["errorReason"];
}

function eventOfRow(selected: Record<string, SQLOutputValue>): AuditEvent {
  const row = selected as unknown as EventRow;
  return {
    eventId: row.event_id,
    timeMs: row.time_ms,
    method: row.method,
    caller: row.caller,
    clientAddress: row.client_address,
    requestId: row.request_id,
    keyIds: JSON.parse(row.key_ids) as string[],
    changedFields: JSON.parse(row.changed_fields) as string[],
    revocationReason: row.revocation_reason,
    errorReason: row.error_reason,
  };
}
