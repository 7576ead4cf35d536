import { collectInTurns } from "../../turns.ts";
import { documentId, type KeyDocument, markId, type Tombstone } from "./document.ts";
import { type Insertion, type InsertParts, isOfBatch, marksOf, type Outcomes, outcomeOf, type Tombstones, usedBy } from "./insertion.ts";

/** Returns the outcomes of those whose ids are used, and the tombstones under the ids of the others. */
export async function lookUp(
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
