import type { Db } from "mongodb";
import { termsOf } from "../../core/key-terms.ts";
import { hourOf, type KeyDocument, recordOf } from "./document.ts";

const batchSize = 500;

/**
 * Adds `tenant`, `useHour` and `terms` to keys that an earlier version stored, before the first request is served. Keys that a process of
 * an earlier version stores after that get them at the next start. If interrupted, it continues at the next start. Processes that start at
 * the same time do the same work twice.
 */
export async function addFilterFields(db: Db): Promise<void> {
  const keys = db.collection<KeyDocument>("keys", { useBigInt64: true });
  // The index lists keys without the field under null, so one seek per kind shows that there are none.
  for (const kind of ["issued", "imported"] as const) {
    for (;;) {
      const found = await keys.find({ tenant: { $exists: false }, kind }, { hint: "keys_by_name", limit: batchSize }).toArray();
      if (found.length === 0) break;
      const updates = found.map((document) => {
        const { keyId: _keyId, ...record } = recordOf(document);
        const fields = { tenant: document._id.slice(0, document._id.indexOf("/")), terms: termsOf(record) };
        const useHour = hourOf(record.lastUsedTimeMs ?? record.createTimeMs);
        // Only this revision. A concurrent change writes the terms itself, but no tenant, so the key is found again.
        return { updateOne: { filter: { _id: document._id, revision: record.revision }, update: { $set: fields, $max: { useHour } } } };
      });
      await keys.bulkWrite(updates, { ordered: false });
    }
  }
}
