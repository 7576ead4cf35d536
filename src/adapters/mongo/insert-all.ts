import type { Collection } from "mongodb";
import type { KeyRecord } from "../../core/key.ts";
import type { KeyUse } from "../../ports/key-store.ts";
import { turnsOfProcess } from "../../turns.ts";
import { addEvents } from "./audit.ts";
import { documentId, documentOf, type KeyDocument, type Tombstone } from "./document.ts";
import { isDuplicateKey } from "./errors.ts";
import { holdingDocuments } from "./holdings.ts";
import {
  aboveTombstone,
  eventsOf,
  type Insertion,
  type InsertParts,
  isCounted,
  marksOf,
  type Outcomes,
  QuotaExhaustedError,
  type Tombstones,
} from "./insertion.ts";

/** Maximum weight of the keys in a message to the server, because the driver encodes a message in one turn of the event loop. */
const maxInsertWeight = 6500;

/**
 * Adds all keys with their request ids and events in one transaction, replacing these tombstones. Returns null if any id is used or another
 * tombstone is found, and the tenant's use if the quota has no room for all. In both cases nothing was added.
 */
export async function addAll(
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

/** Ends a transaction: a tombstone is not the one that was looked up. */
class OtherTombstoneError extends Error {}
