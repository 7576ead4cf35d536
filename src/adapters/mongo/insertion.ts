import type { AuditEvent } from "../../core/audit.ts";
import type { KeyRecord } from "../../core/key.ts";
import type { Clock } from "../../ports/clock.ts";
import type { InsertOutcome, KeyUse, NewKey } from "../../ports/key-store.ts";
import { type KeyDocument, type RequestMarkDocument, recordOf, type Tombstone } from "./document.ts";
import type { Quota } from "./quota.ts";
import { markOf, usedRequestOf } from "./request-marks.ts";
import type { Collections } from "./schema.ts";

/** What the steps of an insert need. Each step runs until its signal aborts. */
export interface InsertParts {
  readonly collections: Collections;
  readonly quota: Quota;
  readonly clock: Clock;
}

/** A key to add. If several have the same `eventOf` and are added in one step, they share one event. */
export interface Insertion extends NewKey {
  readonly eventOf: (keyIds: readonly string[]) => AuditEvent;
}

export type Outcomes = Map<Insertion, InsertOutcome>;

/** The revisions of the tombstones under the ids of keys to add, by document id. */
export type Tombstones = ReadonlyMap<string, number>;

/** Whether the quota counts the record. The record of a tenant is stored as revoked. */
export function isCounted({ record }: Insertion): boolean {
  return record.revocation === null;
}

export function aboveTombstone(record: KeyRecord, tombstoneRevision: number | undefined): KeyRecord {
  if (tombstoneRevision === undefined && record.firstRevision === record.revision) return record;
  const revision = Math.max(record.revision, tombstoneRevision === undefined ? 0 : tombstoneRevision + 1);
  return { ...record, revision, firstRevision: revision };
}

export function eventsOf(insertions: readonly Insertion[]): AuditEvent[] {
  const keyIds = new Map<Insertion["eventOf"], string[]>();
  for (const { eventOf, record } of insertions) {
    const ids = keyIds.get(eventOf);
    if (ids === undefined) keyIds.set(eventOf, [record.keyId]);
    else ids.push(record.keyId);
  }
  return Array.from(keyIds, ([eventOf, ids]) => eventOf(ids));
}

/** The outcome for an insert that cannot take the place of this document. */
export function usedBy(document: KeyDocument | Tombstone, insertion: Insertion): InsertOutcome {
  if (!isOfBatch(document, insertion)) return { outcome: "key_id_used" };
  return { outcome: "batch_repeated", record: "kind" in document ? recordOf(document) : null };
}

/** Whether the batch of the insert added the key, or the key that left this tombstone. */
export function isOfBatch(document: KeyDocument | Tombstone, { batchMark }: Insertion): boolean {
  return document.batchMark !== undefined && document.batchMark === batchMark;
}

/** The outcome for an insert whose request id made this mark. */
export function outcomeOf(mark: RequestMarkDocument, document: KeyDocument | Tombstone | undefined): InsertOutcome {
  return { outcome: "request_id_used", ...usedRequestOf(mark, document) };
}

/**
 * A request id is unique in the whole cluster because it is in the `_id` of a mark, which is added in the transaction that adds the key. It
 * is not a field of the key under a unique index, because a sharded cluster allows such an index only if it begins with the shard key, and
 * because a mark outlives its key.
 */
export function marksOf({ clock }: Pick<InsertParts, "clock">, tenant: string, insertions: readonly Insertion[]): RequestMarkDocument[] {
  return insertions.flatMap(({ record, request }) => (request === null ? [] : markOf(tenant, record, request, clock())));
}

/** Ends the transaction: the quota has no room. */
export class QuotaExhaustedError extends Error {
  readonly use: KeyUse;

  constructor(use: KeyUse) {
    super();
    this.use = use;
  }
}
