import type { Collection, Filter, FindCursor } from "mongodb";
import { type AuditEvent, eventIdRange } from "../../core/audit.ts";
import { ulidTime } from "../../core/ulid.ts";
import type { AuditPart, AuditQuery } from "../../ports/audit-trail.ts";
import type { WriteOptions } from "./database.ts";
import { type AuditEventDocument, documentId } from "./document.ts";
import { isOnlyDuplicates } from "./errors.ts";

/** Adds events. If the options name a session, adds them in its transaction, together with the changes that they describe. */
export async function addEvents(
  auditEvents: Collection<AuditEventDocument>,
  tenant: string,
  events: readonly AuditEvent[],
  options: WriteOptions,
): Promise<void> {
  await auditEvents.insertMany(documentsOf(tenant, events), options);
}

/** Adds events that belong to no change; skips those that exist. */
export async function appendEvents(
  auditEvents: Collection<AuditEventDocument>,
  tenant: string,
  events: readonly AuditEvent[],
  signal: AbortSignal,
): Promise<void> {
  const options = { ordered: false, signal };
  try {
    if (events.length > 0) await auditEvents.insertMany(documentsOf(tenant, events), options);
  } catch (error) {
    if (!isOnlyDuplicates(error)) throw error;
  }
}

function documentsOf(tenant: string, events: readonly AuditEvent[]): AuditEventDocument[] {
  return events.map(({ eventId, timeMs, ...rest }) => ({ _id: documentId(tenant, eventId), time: new Date(timeMs), ...rest }));
}

/**
 * The query for one page. It uses the index of the most selective filter given: a key has few events, a method has fewer than a caller, and
 * often there is only one caller. It walks that index in order. The index is named for the reason given at `listCursor`.
 */
export function auditCursor(
  auditEvents: Collection<AuditEventDocument>,
  tenant: string,
  query: AuditQuery,
  signal?: AbortSignal,
): FindCursor<AuditEventDocument> {
  const { keyId, method, caller, limit } = query;
  const { fromId, untilId } = eventIdRange(query);
  const filter: Filter<AuditEventDocument> = {
    _id: { $gte: documentId(tenant, fromId), $lt: documentId(tenant, untilId) },
    ...(keyId === undefined ? {} : { keyIds: keyId }),
    ...(method === undefined ? {} : { method }),
    ...(caller === undefined ? {} : { caller }),
  };
  const hint =
    keyId !== undefined ? "events_by_key" : method !== undefined ? "events_by_method" : caller !== undefined ? "events_by_caller" : "_id_";
  return auditEvents.find(filter, { sort: { _id: -1 }, hint, limit, batchSize: limit, signal }) as FindCursor<AuditEventDocument>;
}

export async function listEvents(
  auditEvents: Collection<AuditEventDocument>,
  tenant: string,
  query: AuditQuery,
  signal: AbortSignal,
): Promise<AuditPart> {
  const events = (await auditCursor(auditEvents, tenant, query, signal).toArray()).map(({ _id, time, ...rest }) => ({
    eventId: _id.slice(_id.indexOf("/") + 1),
    timeMs: time.getTime(),
    ...rest,
  }));
  return { events, lastEventId: events.length === query.limit ? (events.at(-1)?.eventId ?? null) : null };
}

/**
 * Removes the events of a tenant that are older than its own retention time, because the TTL index uses only the retention time of the
 * installation. An event is removed only if it is too old by the clocks of this process and of the server, so that neither erases events if
 * it is wrong.
 */
export async function removeOldEvents(
  auditEvents: Collection<AuditEventDocument>,
  tenant: string,
  untilMs: number,
  retentionMs: number,
  signal: AbortSignal,
): Promise<void> {
  const filter = {
    _id: { $gte: documentId(tenant, ""), $lt: documentId(tenant, ulidTime(untilMs)) },
    $expr: { $lt: ["$time", { $subtract: ["$$NOW", retentionMs] }] },
  };
  const options: WriteOptions = { signal };
  await auditEvents.deleteMany(filter, options);
}
