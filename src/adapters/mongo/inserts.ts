import type { Collection } from "mongodb";
import type { AuditEvent } from "../../core/audit.ts";
import type { KeyRecord } from "../../core/key.ts";
import type { Clock } from "../../ports/clock.ts";
import type { InsertOutcome, KeyUse, NewKey, RequestMark, UsedRequest } from "../../ports/key-store.ts";
import { addEvents } from "./audit.ts";
import { claimDocuments } from "./claims.ts";
import type { WriteOptions } from "./database.ts";
import { documentId, documentOf, type KeyDocument, markId, type RequestMarkDocument, recordOf, type Tombstone } from "./document.ts";
import { isDuplicateKey } from "./errors.ts";
import type { Quota } from "./quota.ts";
import type { Collections } from "./schema.ts";

/** A key to add. If several have the same `eventOf` and are added in one step, they share one event. */
export interface Insertion extends NewKey {
  readonly eventOf: (keyIds: readonly string[]) => AuditEvent;
}

export type Outcomes = Map<Insertion, InsertOutcome>;

/** The revisions of the tombstones under the ids of keys to add, by document id. */
export type Tombstones = ReadonlyMap<string, number>;

/** The steps of an insert. Each runs until its signal aborts. */
export interface Inserts {
  /**
   * Adds all keys with their request ids and events in one transaction, replacing these tombstones. Returns null if any id is used or
   * another tombstone is found, and the tenant's use if the quota has no room for all. In both cases nothing was added.
   */
  addAll(tenant: string, insertions: readonly Insertion[], tombstones: Tombstones, signal: AbortSignal): Promise<Outcomes | KeyUse | null>;
  /** Returns the outcomes of those whose ids are used, and the tombstones under the ids of the others. */
  lookUp(tenant: string, insertions: readonly Insertion[], signal: AbortSignal): Promise<{ outcomes: Outcomes; tombstones: Tombstones }>;
  /** Adds one key. Finds conflicts by itself. */
  addOne(tenant: string, insertion: Insertion, signal: AbortSignal): Promise<InsertOutcome>;
}

/**
 * Adds a key, replacing a tombstone if there is one, and returns its revision. Rejects with a duplicate key error if a key exists. It is
 * one operation on one document, but costs more than a plain insert.
 */
export async function addKey(keys: Collection<KeyDocument>, document: KeyDocument, options: WriteOptions): Promise<number> {
  const revision = { $max: [document.revision, { $add: ["$tombstoneRevision", 1] }] };
  const stored = await keys.findOneAndUpdate(
    { _id: document._id, kind: { $exists: false } },
    [{ $replaceWith: { $mergeObjects: [{ $literal: document }, { revision, firstRevision: revision }] } }],
    { upsert: true, returnDocument: "after", projection: { revision: 1 }, ...options },
  );
  if (stored === null) throw new Error("an upsert answered no document");
  return stored.revision;
}

/**
 * A request id is unique in the whole cluster because it is in the `_id` of a mark, which is added in the transaction that adds the key. It
 * is not a field of the key under a unique index, because a sharded cluster allows such an index only if it begins with the shard key, and
 * because a mark outlives its key.
 */
export function createInserts({ keys, marks, auditEvents, claims }: Collections, quota: Quota, clock: Clock): Inserts {
  function marksOf(tenant: string, insertions: readonly Insertion[]): RequestMarkDocument[] {
    return insertions.flatMap(({ record, request }) => {
      return request === null ? [] : markOf(tenant, record, request, clock());
    });
  }

  return {
    async addAll(tenant, insertions, tombstones, signal) {
      const newMarks = marksOf(tenant, insertions);
      const records = insertions.map(({ record }) => aboveTombstone(record, tombstones.get(documentId(tenant, record.keyId))));
      const documents = insertions.map(({ request, batchMark }, index) =>
        documentOf(tenant, records[index] as KeyRecord, request?.requestId ?? null, batchMark),
      );
      const fresh = documents.filter(({ _id }) => !tombstones.has(_id));
      const replacements = documents
        .filter(({ _id }) => tombstones.has(_id))
        .map((document) => ({
          replaceOne: { filter: { _id: document._id, tombstoneRevision: tombstones.get(document._id) }, replacement: document },
        }));
      const newClaims = claimDocuments(tenant, records);
      const events = eventsOf(insertions);
      try {
        await quota.transaction(tenant, signal, async (session) => {
          const options = { session, signal };
          // First, so that a conflict with another process shows before anything is written.
          const use = await quota.take(tenant, insertions.filter(isCounted).length, options);
          if (use !== null) throw new QuotaExhaustedError(use);
          if (newMarks.length > 0) await marks.insertMany(newMarks, options);
          if (newClaims.length > 0) await claims.insertMany(newClaims, options);
          if (fresh.length > 0) await keys.insertMany(fresh, options);
          if (replacements.length > 0) {
            const { matchedCount } = await (keys as Collection<KeyDocument & Partial<Tombstone>>).bulkWrite(replacements, options);
            if (matchedCount < replacements.length) throw new OtherTombstoneError();
          }
          await addEvents(auditEvents, tenant, events, options);
        });
      } catch (error) {
        if (isDuplicateKey(error) || error instanceof OtherTombstoneError) return null;
        if (error instanceof QuotaExhaustedError) return error.use;
        throw error;
      }
      return new Map(insertions.map((insertion, index) => [insertion, { outcome: "inserted", record: records[index] as KeyRecord }]));
    },

    async lookUp(tenant, insertions, signal) {
      const markIds = marksOf(tenant, insertions).map(({ _id }) => _id);
      const used = markIds.length === 0 ? [] : await marks.find({ _id: { $in: markIds } }, { batchSize: markIds.length, signal }).toArray();
      const usedMarks = new Map(used.map((mark) => [mark._id, mark]));
      const ids = [...new Set([...insertions.map(({ record }) => record.keyId), ...used.map(({ keyId }) => keyId)])];
      const filter = { _id: { $in: ids.map((keyId) => documentId(tenant, keyId)) } };
      const found = await keys.find(filter, { batchSize: ids.length, signal }).toArray();
      const documents = new Map(found.map((document) => [document._id, document as KeyDocument | Tombstone]));

      const outcomes: Outcomes = new Map();
      const tombstones = new Map<string, number>();
      for (const insertion of insertions) {
        const { record, request } = insertion;
        const mark = request === null ? undefined : usedMarks.get(markId(tenant, record.kind, request.requestId));
        const id = documentId(tenant, record.keyId);
        const existing = documents.get(id);
        if (mark !== undefined) outcomes.set(insertion, outcomeOf(mark, documents.get(documentId(tenant, mark.keyId))));
        else if (existing !== undefined && "kind" in existing) outcomes.set(insertion, usedBy(existing, insertion));
        else if (existing !== undefined) tombstones.set(id, existing.tombstoneRevision);
      }
      return { outcomes, tombstones };
    },

    async addOne(tenant, insertion, signal) {
      const { record, request, batchMark, eventOf } = insertion;
      const [mark] = marksOf(tenant, [insertion]);
      const document = documentOf(tenant, record, request?.requestId ?? null, batchMark);
      const newClaims = claimDocuments(tenant, [record]);
      for (;;) {
        let isRequestIdFree = mark === undefined;
        try {
          return await quota.transaction(tenant, signal, async (session) => {
            const options = { session, signal };
            isRequestIdFree = mark === undefined;
            if (mark !== undefined) await marks.insertOne(mark, options);
            isRequestIdFree = true;
            if (newClaims.length > 0) await claims.insertMany(newClaims, options);
            const revision = await addKey(keys, document, options);
            const use = await quota.take(tenant, isCounted(insertion) ? 1 : 0, options);
            if (use !== null) throw new QuotaExhaustedError(use);
            await addEvents(auditEvents, tenant, [eventOf([record.keyId])], options);
            return { outcome: "inserted", record: { ...record, revision, firstRevision: revision } };
          });
        } catch (error) {
          if (error instanceof QuotaExhaustedError) return { outcome: "quota_exhausted", ...error.use };
          if (!isDuplicateKey(error)) throw error;
        }
        if (isRequestIdFree || mark === undefined) {
          const existing = batchMark == null ? null : await keys.findOne({ _id: document._id }, { readConcern: "linearizable", signal });
          return existing === null ? { outcome: "key_id_used" } : usedBy(existing, insertion);
        }
        // Linearizable: the mark may have just been written and not be on a majority yet. If it was rolled back, the id is free.
        const used = await marks.findOne({ _id: mark._id }, { readConcern: "linearizable", signal });
        if (used !== null) return outcomeOf(used, (await keys.findOne({ _id: documentId(tenant, used.keyId) }, { signal })) ?? undefined);
      }
    },
  };
}

/** Whether the quota counts the record. The record of a tenant is stored as revoked. */
function isCounted({ record }: Insertion): boolean {
  return record.revocation === null;
}

/** Ends a transaction: a tombstone is not the one that was looked up. */
class OtherTombstoneError extends Error {}

/** Ends the transaction: the quota has no room. */
class QuotaExhaustedError extends Error {
  readonly use: KeyUse;

  constructor(use: KeyUse) {
    super();
    this.use = use;
  }
}

function aboveTombstone(record: KeyRecord, tombstoneRevision: number | undefined): KeyRecord {
  const revision = Math.max(record.revision, tombstoneRevision === undefined ? 0 : tombstoneRevision + 1);
  return { ...record, revision, firstRevision: revision };
}

function eventsOf(insertions: readonly Insertion[]): AuditEvent[] {
  const keyIds = new Map<Insertion["eventOf"], string[]>();
  for (const { eventOf, record } of insertions) {
    const ids = keyIds.get(eventOf);
    if (ids === undefined) keyIds.set(eventOf, [record.keyId]);
    else ids.push(record.keyId);
  }
  return Array.from(keyIds, ([eventOf, ids]) => eventOf(ids));
}

/** The outcome for an insert whose key id this key uses. */
function usedBy(document: KeyDocument, { batchMark }: Insertion): InsertOutcome {
  const isRepeated = document.batchMark !== undefined && document.batchMark === batchMark;
  return isRepeated ? { outcome: "batch_repeated", record: recordOf(document) } : { outcome: "key_id_used" };
}

export function markOf(
  tenant: string,
  { kind, keyId }: KeyRecord,
  { requestId, payloadDigest }: RequestMark,
  nowMs: number,
): RequestMarkDocument {
  return { _id: markId(tenant, kind, requestId), requestId, payloadDigest, keyId, createTime: new Date(nowMs) };
}

function outcomeOf(mark: RequestMarkDocument, document: KeyDocument | Tombstone | undefined): InsertOutcome {
  return { outcome: "request_id_used", ...usedRequestOf(mark, document) };
}

/** Returns the key that a request made, unless it was deleted since. Another key, or a tombstone, with its id does not count. */
export function usedRequestOf(mark: RequestMarkDocument, document: KeyDocument | Tombstone | undefined): UsedRequest {
  const isOfMark = document !== undefined && "kind" in document && document.requestId === mark.requestId;
  return { payloadDigest: mark.payloadDigest, record: isOfMark ? recordOf(document) : null };
}
