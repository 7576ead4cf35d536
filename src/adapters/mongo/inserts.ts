import { type Collection, MongoBulkWriteError, type MongoClient } from "mongodb";
import type { KeyRecord } from "../../core/key.ts";
import type { Clock } from "../../ports/clock.ts";
import type { InsertOutcome, RequestMark } from "../../ports/key-store.ts";
import type { WriteOptions } from "./database.ts";
import { documentId, documentOf, type KeyDocument, markId, type RequestMarkDocument, recordOf } from "./document.ts";
import { DuplicateKey, isDuplicateKey } from "./errors.ts";
import type { Collections } from "./schema.ts";
import { inTransaction } from "./transaction.ts";

export interface Inserts {
  insert(tenant: string, record: KeyRecord, request: RequestMark | null, signal: AbortSignal): Promise<InsertOutcome>;
  /** `insert` of many keys without request ids, in two round trips; more only where tombstones lie in the way. */
  insertUnmarked(tenant: string, records: readonly KeyRecord[], signal: AbortSignal): Promise<InsertOutcome[]>;
  /** Adds all keys with their request ids in one transaction. False where any of the ids is used: then nothing was added. */
  insertAllMarked(tenant: string, items: readonly MarkedItem[], signal: AbortSignal): Promise<boolean>;
  /** The outcomes for those of the request ids that are used, by `markId`. */
  usedRequests(tenant: string, items: readonly MarkedItem[], signal: AbortSignal): Promise<ReadonlyMap<string, InsertOutcome>>;
}

export interface MarkedItem {
  readonly record: KeyRecord;
  readonly request: RequestMark;
}

/**
 * Adds a key, over a tombstone if there is one, and answers the revision it got. Rejects with a duplicate key error where a key is there. One
 * step on one document, but dearer than a plain insert.
 */
export async function addKey(keys: Collection<KeyDocument>, document: KeyDocument, options: WriteOptions): Promise<number> {
  const revision = { $max: [document.revision, { $add: ["$tombstoneRevision", 1] }] };
  const stored = await keys.findOneAndUpdate(
    { _id: document._id, kind: { $exists: false } },
    [{ $replaceWith: { $mergeObjects: [{ $literal: document }, { revision }] } }],
    { upsert: true, returnDocument: "after", projection: { revision: 1 }, ...options },
  );
  if (stored === null) throw new Error("an upsert answered no document");
  return stored.revision;
}

/**
 * A request id is used once in the whole cluster because it is in the `_id` of a mark, which the transaction that adds the key adds too. It is not a
 * field of the key under a unique index: a sharded cluster keeps such an index only where it begins with the shard key, and a mark outlives
 * its key. A key without a request id needs no transaction.
 */
export function createInserts(client: MongoClient, { keys, tombstones, marks }: Collections, clock: Clock): Inserts {
  async function insertOne(tenant: string, record: KeyRecord, options: WriteOptions): Promise<InsertOutcome> {
    const document = documentOf(tenant, record, null);
    try {
      await keys.insertOne(document, options);
      return { outcome: "inserted", record };
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
    }
    return insertOverTombstone(record, document, options);
  }

  async function insertOverTombstone(record: KeyRecord, document: KeyDocument, options: WriteOptions): Promise<InsertOutcome> {
    try {
      return { outcome: "inserted", record: { ...record, revision: await addKey(keys, document, options) } };
    } catch (error) {
      if (isDuplicateKey(error)) return { outcome: "key_id_used" };
      throw error;
    }
  }

  function markOf(tenant: string, { record, request }: MarkedItem): RequestMarkDocument {
    const { requestId, payloadDigest } = request;
    return { _id: markId(tenant, record.kind, requestId), requestId, payloadDigest, keyId: record.keyId, createTimeMs: clock() };
  }

  async function insertMarked(tenant: string, item: MarkedItem, signal: AbortSignal): Promise<InsertOutcome> {
    const mark = markOf(tenant, item);
    const document = documentOf(tenant, item.record, item.request.requestId);
    for (;;) {
      let isRequestIdFree = false;
      try {
        return await inTransaction(client, signal, async (session) => {
          const options = { session, signal };
          isRequestIdFree = false;
          await marks.insertOne(mark, options);
          isRequestIdFree = true;
          const revision = await addKey(keys, document, options);
          return { outcome: "inserted", record: { ...item.record, revision } };
        });
      } catch (error) {
        if (!isDuplicateKey(error)) throw error;
      }
      if (isRequestIdFree) return { outcome: "key_id_used" };
      // Linearizable: the mark in the way may be of this moment, and not yet on a majority. Where it was lost again, the id is free.
      const used = await marks.findOne({ _id: mark._id }, { readConcern: "linearizable", signal });
      if (used !== null) return outcomeOf(used, await keys.findOne({ _id: documentId(tenant, used.keyId) }, { signal }));
    }
  }

  return {
    insert: (tenant, record, request, signal) =>
      request === null ? insertOne(tenant, record, { signal }) : insertMarked(tenant, { record, request }, signal),

    async insertUnmarked(tenant, records, signal) {
      const documents = records.map((record) => documentOf(tenant, record, null));
      const taken = await insertedBut(keys, documents, signal);
      const takenIds = Array.from(taken, (index) => (documents[index] as KeyDocument)._id);
      const underTombstone = new Set<string>();
      if (takenIds.length > 0) {
        const lying = tombstones.find({ _id: { $in: takenIds }, tombstoneRevision: { $gt: 0 } }, { projection: { _id: 1 }, signal });
        for await (const { _id } of lying) underTombstone.add(_id);
      }
      return Promise.all(
        records.map((record, index): InsertOutcome | Promise<InsertOutcome> => {
          if (!taken.has(index)) return { outcome: "inserted", record };
          const document = documents[index] as KeyDocument;
          // The first of several with one id gets it.
          return underTombstone.delete(document._id) ? insertOverTombstone(record, document, { signal }) : { outcome: "key_id_used" };
        }),
      );
    },

    async insertAllMarked(tenant, items, signal) {
      const newMarks = items.map((item) => markOf(tenant, item));
      const documents = items.map(({ record, request }) => documentOf(tenant, record, request.requestId));
      try {
        await inTransaction(client, signal, async (session) => {
          const options = { session, signal };
          await marks.insertMany(newMarks, options);
          await keys.insertMany(documents, options);
        });
        return true;
      } catch (error) {
        if (isDuplicateKey(error)) return false;
        throw error;
      }
    },

    async usedRequests(tenant, items, signal) {
      const ids = items.map(({ record, request }) => markId(tenant, record.kind, request.requestId));
      const used = await marks.find({ _id: { $in: ids } }, { batchSize: ids.length, signal }).toArray();
      const keyIds = used.map(({ keyId }) => documentId(tenant, keyId));
      const found = keyIds.length === 0 ? [] : await keys.find({ _id: { $in: keyIds } }, { batchSize: ids.length, signal }).toArray();
      const byId = new Map(found.map((document) => [document._id, document]));
      return new Map(used.map((mark) => [mark._id, outcomeOf(mark, byId.get(documentId(tenant, mark.keyId)) ?? null)]));
    },
  };
}

/** The key that a request made, unless it was deleted since; another key, or a tombstone, with its id is not it. */
function outcomeOf(mark: RequestMarkDocument, document: KeyDocument | null): InsertOutcome {
  const isOfMark = document !== null && document.requestId === mark.requestId;
  return { outcome: "request_id_used", payloadDigest: mark.payloadDigest, record: isOfMark ? recordOf(document) : null };
}

/** Inserts what it can and answers the indexes of those whose id is taken. */
async function insertedBut(keys: Collection<KeyDocument>, documents: readonly KeyDocument[], signal: AbortSignal): Promise<Set<number>> {
  try {
    const options = { ordered: false, signal };
    await keys.insertMany(documents, options);
    return new Set();
  } catch (error) {
    // The driver throws the same class for time-outs and lost connections; then there may be no error of a single write at all.
    if (!(error instanceof MongoBulkWriteError) || !isDuplicateKey(error)) throw error;
    const writeErrors = error.result.getWriteErrors();
    const isOnlyDuplicates = writeErrors.length > 0 && writeErrors.every(({ code }) => code === DuplicateKey);
    if (!isOnlyDuplicates || error.result.getWriteConcernError() !== undefined) throw error;
    return new Set(writeErrors.map(({ index }) => index));
  }
}
