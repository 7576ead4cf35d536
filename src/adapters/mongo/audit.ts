import type { Collection, Filter, FindCursor, FindOptions } from "mongodb";
import { type AuditEvent, eventIdRange } from "../../core/audit.ts";
import { ulidTime } from "../../core/ulid.ts";
import type { AuditPart, AuditQuery } from "../../ports/audit-trail.ts";
import { collectInTurns } from "../../turns.ts";
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

/** Maximum events checked in one step if the index also finds events that do not match. */
const maxEventsPerStep = 2000;

interface Walk {
  readonly hint: string;
  /** The restrictions that the index finds in order. */
  readonly found: Filter<AuditEventDocument>;
  /** Restrictions that the index does not check. Null: none. */
  readonly checked: Filter<AuditEventDocument> | null;
}

/**
 * The walk over the index of the most selective filter given: a key has few events, a method has fewer than a caller, and often there is
 * only one caller. The index is named for the reason given at `walkOf` in list.ts.
 */
export function auditWalk(tenant: string, query: AuditQuery): Walk {
  const { keyId, method, caller } = query;
  const { fromId, untilId } = eventIdRange(query);
  const range = { _id: { $gte: documentId(tenant, fromId), $lt: documentId(tenant, untilId) } };
  const indexes = [
    { hint: "events_by_key", filter: keyId === undefined ? null : { keyIds: keyId } },
    { hint: "events_by_method", filter: method === undefined ? null : { method } },
    { hint: "events_by_caller", filter: caller === undefined ? null : { caller } },
  ].filter(({ filter }) => filter !== null);
  const [first = { hint: "_id_", filter: {} }, ...others] = indexes;
  const checked = others.length === 0 ? null : Object.assign({}, ...others.map(({ filter }) => filter));
  return { hint: first.hint, found: { ...range, ...first.filter }, checked };
}

/** The query for one page. Walks the index in order, and no further than the page. */
export function auditCursor(
  auditEvents: Collection<AuditEventDocument>,
  { hint, found, checked }: Walk,
  limit: number,
  signal?: AbortSignal,
): FindCursor<AuditEventDocument> {
  const options = { sort: { _id: -1 }, hint, limit, batchSize: limit, signal } as FindOptions;
  return auditEvents.find({ ...found, ...checked }, options) as FindCursor<AuditEventDocument>;
}

/** Returns the `_id` of the last event of a step, which the index alone shows; undefined if the step reaches the end. */
async function endOfStep(
  auditEvents: Collection<AuditEventDocument>,
  { hint, found }: Walk,
  signal: AbortSignal,
): Promise<string | undefined> {
  const last = { sort: { _id: -1 }, skip: maxEventsPerStep - 1, limit: 1, projection: { _id: 1 } } as const;
  return (await auditEvents.find(found, { ...last, hint, signal } as FindOptions).toArray())[0]?._id;
}

export async function listEvents(
  auditEvents: Collection<AuditEventDocument>,
  tenant: string,
  query: AuditQuery,
  signal: AbortSignal,
): Promise<AuditPart> {
  const walk = auditWalk(tenant, query);
  const end = walk.checked === null ? undefined : await endOfStep(auditEvents, walk, signal);
  const found = end === undefined ? walk.found : { $and: [walk.found, { _id: { $gte: end } }] };
  const documents = await collectInTurns(auditCursor(auditEvents, { ...walk, found }, query.limit, signal));
  const last = documents.length === query.limit ? documents.at(-1)?._id : end;
  const events = documents.map(({ _id, time, ...rest }) => ({ eventId: eventIdOf(_id), timeMs: time.getTime(), ...rest }));
  return { events, lastEventId: last === undefined ? null : eventIdOf(last) };
}

function eventIdOf(id: string): string {
  return id.slice(id.indexOf("/") + 1);
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
