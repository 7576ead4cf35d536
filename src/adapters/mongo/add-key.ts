import type { Collection } from "mongodb";
import type { WriteOptions } from "./database.ts";
import type { KeyDocument } from "./document.ts";

/**
 * Adds a key, replacing a tombstone if there is one, and returns its revision. Rejects with a duplicate key error if a key exists, or if
 * the tombstone is that of a key with the same batch mark. It is one operation on one document, but costs more than a plain insert.
 */
export async function addKey(keys: Collection<KeyDocument>, document: KeyDocument, options: WriteOptions): Promise<number> {
  const { batchMark } = document;
  const revision = { $max: [document.revision, { $add: ["$tombstoneRevision", 1] }] };
  const stored = await keys.findOneAndUpdate(
    { _id: document._id, kind: { $exists: false }, ...(batchMark !== undefined && { batchMark: { $ne: batchMark } }) },
    [{ $replaceWith: { $mergeObjects: [{ $literal: document }, { revision, firstRevision: revision }] } }],
    { upsert: true, returnDocument: "after", projection: { revision: 1 }, ...options },
  );
  if (stored === null) throw new Error("an upsert returned no document");
  return stored.revision;
}
