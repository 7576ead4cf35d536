import { randomBytes } from "node:crypto";
import type { AuditEvent } from "../../src/core/audit.ts";
import type { KeyKind, KeyRecord } from "../../src/core/key.ts";
import { createUlid } from "../../src/core/ulid.ts";
import type { AuditPart, AuditQuery, AuditTrail } from "../../src/ports/audit-trail.ts";
import type { DeleteOptions, KeyStore, LastUse, ListPart, ListQuery, RequestMark } from "../../src/ports/key-store.ts";

type Args<Method extends keyof KeyStore> = KeyStore[Method] extends (...args: infer A) => unknown ? A : never;
type Result<Method extends keyof KeyStore> = KeyStore[Method] extends (...args: never) => infer R ? R : never;

/** A store whose changes create their audit events themselves, for tests that do not care about them. */
export type StoreWithEvents<S extends KeyStore = KeyStore> = Omit<
  S,
  "touch" | "insert" | "insertMany" | "replace" | "rotate" | "delete" | "list" | "audit"
> & {
  touch(tenant: string, uses: readonly Omit<LastUse, "tenant">[]): Promise<void>;
  /** Returns all keys of the query, from any number of parts. */
  list(tenant: string, query: ListQuery): Promise<KeyRecord[]>;
  readonly audit: Pick<AuditTrail, "append"> & { list(tenant: string, query: AuditQuery): Promise<AuditEvent[]> };
  insert(...args: [...First<Args<"insert">>, event?: AuditEvent]): Result<"insert">;
  insertMany(...args: [...First<Args<"insertMany">>, eventOf?: (keyIds: readonly string[]) => AuditEvent]): Result<"insertMany">;
  replace(...args: [...First<Args<"replace">>, event?: AuditEvent]): Result<"replace">;
  rotate(tenant: string, retired: KeyRecord, successor: KeyRecord, event?: AuditEvent, request?: RequestMark | null): Result<"rotate">;
  delete(tenant: string, kind: KeyKind, keyId: string, event?: AuditEvent, options?: DeleteOptions): Result<"delete">;
};

type First<A extends readonly unknown[]> = A extends readonly [...infer Head, unknown] ? Head : never;

export function withEvents<S extends KeyStore>(store: S): StoreWithEvents<S> {
  return {
    ...store,
    touch: (tenant, uses) => store.touch(uses.map((use) => ({ ...use, tenant }))),
    async list(tenant, query) {
      const records: KeyRecord[] = [];
      let { afterValue } = query;
      for (let afterKeyId: string | null = query.afterKeyId ?? ""; afterKeyId !== null && records.length < query.limit; ) {
        const part: ListPart = await store.list(tenant, { ...query, afterKeyId, afterValue, limit: query.limit - records.length });
        records.push(...part.records);
        afterKeyId = part.lastKeyId;
        afterValue = part.lastValue;
      }
      return records;
    },
    audit: { append: (...given) => store.audit.append(...given), list: (tenant, query) => allEvents(store, tenant, query) },
    insert: (tenant, record, request, event = auditEvent({ keyIds: [record.keyId] })) => store.insert(tenant, record, request, event),
    insertMany: (tenant, items, eventOf = (keyIds) => auditEvent({ keyIds })) => store.insertMany(tenant, items, eventOf),
    replace: (tenant, record, event = auditEvent({ keyIds: [record.keyId] })) => store.replace(tenant, record, event),
    rotate: (tenant, retired, successor, event = auditEvent({ keyIds: [retired.keyId, successor.keyId] }), request = null) =>
      store.rotate(tenant, retired, successor, event, request),
    delete: (tenant, kind, keyId, event = auditEvent({ keyIds: [keyId] }), options = {}) =>
      store.delete(tenant, kind, keyId, event, options),
  };
}

/** Returns all events of a query, from any number of parts. */
export async function allEvents(store: Pick<KeyStore, "audit">, tenant: string, query: AuditQuery): Promise<AuditEvent[]> {
  const events: AuditEvent[] = [];
  for (let beforeEventId: string | null | undefined = query.beforeEventId; beforeEventId !== null && events.length < query.limit; ) {
    const part: AuditPart = await store.audit.list(tenant, { ...query, beforeEventId, limit: query.limit - events.length });
    events.push(...part.events);
    beforeEventId = part.lastEventId;
  }
  return events;
}

export function auditEvent(overrides: Partial<AuditEvent> = {}): AuditEvent {
  const timeMs = overrides.timeMs ?? Date.now();
  return {
    eventId: createUlid(timeMs, randomBytes),
    timeMs,
    method: "AdminUpdateIssuedApiKey",
    caller: "a caller",
    clientAddress: "192.0.2.1",
    requestId: "a request",
    keyIds: [],
    changedFields: [],
    revocationReason: null,
    errorReason: null,
    ...overrides,
  };
}
