import type { Collection } from "mongodb";
import type { KeyRecord } from "../../core/key.ts";
import type { Clock } from "../../ports/clock.ts";
import type { InsertOutcome, KeyUse } from "../../ports/key-store.ts";
import { collectInTurns, turnsOfProcess } from "../../turns.ts";
import { addKey } from "./add-key.ts";
import { addEvents } from "./audit.ts";
import { documentId, documentOf, type KeyDocument, markId, type RequestMarkDocument, type Tombstone } from "./document.ts";
import { isDuplicateKey } from "./errors.ts";
import { holdingDocuments } from "./holdings.ts";
import {
  aboveTombstone,
  eventsOf,
  type Insertion,
  isCounted,
  isOfBatch,
  type Outcomes,
  outcomeOf,
  type Tombstones,
  usedBy,
} from "./insertion.ts";
import type { Quota } from "./quota.ts";
import { markOf } from "./request-marks.ts";
import type { Collections } from "./schema.ts";

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

/** Maximum weight of the keys in a message to the server, because the driver encodes a message in one turn of the event loop. */
const maxInsertWeight = 6500;

/**
 * A request id is unique in the whole cluster because it is in the `_id` of a mark, which is added in the transaction that adds the key. It
 * is not a field of the key under a unique index, because a sharded cluster allows such an index only if it begins with the shard key, and
 * because a mark outlives its key.
 */
export function createInserts(collections: Collections, quota: Quota, clock: Clock): Inserts {
  const parts = { collections, quota, clock };
  return {
    addAll: (tenant, insertions, tombstones, signal) => addAll(parts, tenant, insertions, tombstones, signal),
    lookUp: (tenant, insertions, signal) => lookUp(parts, tenant, insertions, signal),
    addOne: (tenant, insertion, signal) => addOne(parts, tenant, insertion, signal),
  };
}

interface InsertParts {
  readonly collections: Collections;
  readonly quota: Quota;
  readonly clock: Clock;
}

function marksOf({ clock }: InsertParts, tenant: string, insertions: readonly Insertion[]): RequestMarkDocument[] {
  return insertions.flatMap(({ record, request }) => (request === null ? [] : markOf(tenant, record, request, clock())));
}

async function addAll(
  parts: InsertParts,
  tenant: string,
  insertions: readonly Insertion[],
  tombstones: Tombstones,
  signal: AbortSignal,
): Promise<Outcomes | KeyUse | null> {
  const {
    collections: { keys, marks, auditEvents, holdings },
    quota,
  } = parts;
  const newMarks = marksOf(parts, tenant, insertions);
  const recordOfNew = ({ record }: Insertion) => aboveTombstone(record, tombstones.get(documentId(tenant, record.keyId)));
  const records = new Map(insertions.map((insertion) => [insertion, recordOfNew(insertion)]));
  const newDocument = (insertion: Insertion) =>
    documentOf(tenant, records.get(insertion) as KeyRecord, insertion.request?.requestId ?? null, insertion.batchMark);
  const replacesTombstone = ({ record }: Insertion) => tombstones.has(documentId(tenant, record.keyId));
  // In a transaction the server adds documents one at a time, each to all indexes. In the order of ids, neighbours meet the same pages.
  const fresh = insertions.filter((insertion) => !replacesTombstone(insertion)).sort((a, b) => (a.record.keyId < b.record.keyId ? -1 : 1));
  const replacements = insertions
    .filter(replacesTombstone)
    .map(newDocument)
    .map((document) => ({
      replaceOne: { filter: { _id: document._id, tombstoneRevision: tombstones.get(document._id) }, replacement: document },
    }));
  const newHoldings = holdingDocuments(tenant, [...records.values()]);
  const events = eventsOf(insertions);
  const placeCount = insertions.filter(isCounted).length;
  try {
    if (placeCount > 0) await quota.ready(tenant, signal);
    await quota.transaction(tenant, signal, async (session) => {
      const options = { session, signal };
      // First, so that a conflict with another process shows before anything is written.
      const use = await quota.take(tenant, placeCount, options);
      if (use !== null) throw new QuotaExhaustedError(use);
      if (newMarks.length > 0) await marks.insertMany(newMarks, options);
      if (newHoldings.length > 0) await holdings.insertMany(newHoldings, options);
      // Made only now, so that few documents are in memory while others are sent.
      for (const part of insertParts(fresh)) {
        // Messages of other batches may have been encoded in this turn.
        if (turnsOfProcess.isOver()) await turnsOfProcess.next();
        await keys.insertMany(part.map(newDocument), options);
      }
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
  return new Map(Array.from(records, ([insertion, record]) => [insertion, { outcome: "inserted", record }]));
}

/** Splits keys to add into those of one message each. */
export function insertParts(insertions: readonly Insertion[]): Insertion[][] {
  const parts: Insertion[][] = [];
  let weight = maxInsertWeight;
  for (const insertion of insertions) {
    weight += weightOf(insertion);
    if (weight > maxInsertWeight) {
      parts.push([]);
      weight = weightOf(insertion);
    }
    parts.at(-1)?.push(insertion);
  }
  return parts;
}

/** About the number of values in its document. A scope is in two lists, and so is a member of the metadata. */
function weightOf({ record: { scopes, metadata } }: Insertion): number {
  return 16 + 2 * scopes.length + 2 * Object.keys(metadata ?? {}).length;
}

async function lookUp(
  parts: InsertParts,
  tenant: string,
  insertions: readonly Insertion[],
  signal: AbortSignal,
): Promise<{ outcomes: Outcomes; tombstones: Tombstones }> {
  const { keys, marks } = parts.collections;
  const markIds = marksOf(parts, tenant, insertions).map(({ _id }) => _id);
  const used = markIds.length === 0 ? [] : await marks.find({ _id: { $in: markIds } }, inOneReply(markIds.length, signal)).toArray();
  const usedMarks = new Map(used.map((mark) => [mark._id, mark]));
  const ids = [...new Set([...insertions.map(({ record }) => record.keyId), ...used.map(({ keyId }) => keyId)])];
  const filter = { _id: { $in: ids.map((keyId) => documentId(tenant, keyId)) } };
  const found = await collectInTurns(keys.find(filter, inOneReply(ids.length, signal)));
  const documents = new Map(found.map((document) => [document._id, document as KeyDocument | Tombstone]));

  const outcomes: Outcomes = new Map();
  const tombstones = new Map<string, number>();
  for (const insertion of insertions) {
    const { record, request } = insertion;
    const mark = request === null ? undefined : usedMarks.get(markId(tenant, record.kind, request.requestId));
    const id = documentId(tenant, record.keyId);
    const existing = documents.get(id);
    if (mark !== undefined) outcomes.set(insertion, outcomeOf(mark, documents.get(documentId(tenant, mark.keyId))));
    else if (existing === undefined) continue;
    else if ("kind" in existing || isOfBatch(existing, insertion)) outcomes.set(insertion, usedBy(existing, insertion));
    else tombstones.set(id, existing.tombstoneRevision);
  }
  return { outcomes, tombstones };
}

/** Options of a find of at most `count` documents. With the limit the server knows that nothing follows, and needs no second request. */
export function inOneReply(count: number, signal: AbortSignal) {
  return { batchSize: count, limit: count, signal };
}

async function addOne(parts: InsertParts, tenant: string, insertion: Insertion, signal: AbortSignal): Promise<InsertOutcome> {
  const {
    collections: { keys, marks, auditEvents, holdings },
    quota,
  } = parts;
  const { record, request, batchMark, eventOf } = insertion;
  const [mark] = marksOf(parts, tenant, [insertion]);
  const document = documentOf(tenant, record, request?.requestId ?? null, batchMark);
  const newHoldings = holdingDocuments(tenant, [record]);
  if (isCounted(insertion)) await quota.ready(tenant, signal);
  for (;;) {
    let isRequestIdFree = mark === undefined;
    try {
      return await quota.transaction(tenant, signal, async (session) => {
        const options = { session, signal };
        isRequestIdFree = mark === undefined;
        if (mark !== undefined) await marks.insertOne(mark, options);
        isRequestIdFree = true;
        if (newHoldings.length > 0) await holdings.insertMany(newHoldings, options);
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
