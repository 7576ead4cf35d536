import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from "node:sqlite";
import { type AuditEvent, eventIdRange } from "../../core/audit.ts";
import type { AuditQuery } from "../../ports/audit-trail.ts";

export interface Audit {
  /** Wants a transaction around it: that of the change which the event tells of. Passes over an event that is there already. */
  add(tenant: string, event: AuditEvent): void;
  list(tenant: string, query: AuditQuery): AuditEvent[];
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

/**
 * The statement for one combination of filters, by the index of the one that leaves the fewest events: a key has few, a method fewer than a
 * caller, who is often always the same. What else is asked is told from that index too. It is named for the reason given at `listSql`.
 */
export function auditSql(byKey: boolean, byMethod: boolean, byCaller: boolean): string {
  const index = byMethod ? "method" : "caller";
  const source = byKey ? "audit_event_keys" : `audit_events${byMethod || byCaller ? ` INDEXED BY audit_events_by_${index}` : ""}`;
  const conditions = ["tenant = $tenant", "event_id >= $fromId", "event_id < $untilId"];
  if (byKey) conditions.push("key_id = $keyId");
  if (byMethod) conditions.push("method = $method");
  if (byCaller) conditions.push("caller = $caller");
  return `SELECT ${columns.map((column) => `audit_events.${column}`).join(", ")}
    FROM (SELECT event_id FROM ${source} WHERE ${conditions.join(" AND ")} ORDER BY event_id DESC LIMIT $limit) AS page
    CROSS JOIN audit_events ON audit_events.tenant = $tenant AND audit_events.event_id = page.event_id
    ORDER BY page.event_id DESC`;
}

export function prepareAudit(database: DatabaseSync): Audit {
  const insertEvent = database.prepare(
    `INSERT INTO audit_events (${columns.join(", ")}, tenant) VALUES (${columns.map(() => "?").join(", ")}, ?) ON CONFLICT DO NOTHING`,
  );
  const insertKey = database.prepare("INSERT INTO audit_event_keys (tenant, key_id, event_id, method, caller) VALUES (?, ?, ?, ?, ?)");
  const statements = new Map<string, StatementSync>();

  function statementFor({ keyId, method, caller }: AuditQuery): StatementSync {
    const sql = auditSql(keyId !== undefined, method !== undefined, caller !== undefined);
    let statement = statements.get(sql);
    if (statement === undefined) {
      statement = database.prepare(sql);
      statement.setAllowUnknownNamedParameters(true);
      statements.set(sql, statement);
    }
    return statement;
  }

  return {
    add(tenant, event) {
      if (insertEvent.run(...valuesOf(event), tenant).changes === 0) return;
      for (const keyId of event.keyIds) insertKey.run(tenant, keyId, event.eventId, event.method, event.caller);
    },

    list(tenant, query) {
      const { keyId = "", method = "", caller = "", limit } = query;
      const { fromId, untilId } = eventIdRange(query);
      return statementFor(query).all({ tenant, fromId, untilId, keyId, method, caller, limit }).map(eventOfRow);
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
