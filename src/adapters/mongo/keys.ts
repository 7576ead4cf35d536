import type { MongoClient } from "mongodb";
import type { AuditEvent } from "../../core/audit.ts";
import type { KeyKind, KeyRecord } from "../../core/key.ts";
import type { LastUse } from "../../ports/key-store.ts";
import { addEvents } from "./audit.ts";
import type { WriteOptions } from "./database.ts";
import { documentId, documentOf, recordOf, replacedFields } from "./document.ts";
import { isDuplicateKey } from "./errors.ts";
import { addKey } from "./inserts.ts";
import type { Collections } from "./schema.ts";
import { inTransaction } from "./transaction.ts";

/** What the key store does to keys that are there. Every function works under the deadline of its signal. */
export interface Keys {
  /** By document id. */
  getMany(ids: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, KeyRecord>>;
  replace(tenant: string, record: KeyRecord, event: AuditEvent, signal: AbortSignal): Promise<boolean>;
  rotate(tenant: string, retired: KeyRecord, successor: KeyRecord, event: AuditEvent, signal: AbortSignal): Promise<boolean>;
  delete(tenant: string, kind: KeyKind, keyId: string, event: AuditEvent, signal: AbortSignal): Promise<number | null>;
  touch(tenant: string, uses: readonly LastUse[], signal: AbortSignal): Promise<void>;
}

/**
 * Changes are transactions with their audit events. One that finds nothing to change waits for a majority as well, so an answer of false is as
 * durable as one of true.
 */
export function createKeys(client: MongoClient, { keys, tombstones, auditEvents }: Collections): Keys {
  async function replace(tenant: string, record: KeyRecord, options: WriteOptions): Promise<boolean> {
    const previous = { _id: documentId(tenant, record.keyId), revision: record.revision - 1 };
    return (await keys.updateOne(previous, { $set: replacedFields(record) }, options)).matchedCount === 1;
  }

  return {
    async getMany(ids, signal) {
      const options = { batchSize: ids.length, signal };
      const found =
        ids.length === 1
          ? [await keys.findOne({ _id: ids[0] as string }, { signal })]
          : await keys.find({ _id: { $in: ids } }, options).toArray();
      const records = new Map<string, KeyRecord>();
      // A tombstone has no kind.
      for (const document of found) if (document?.kind !== undefined) records.set(document._id, recordOf(document));
      return records;
    },

    replace: (tenant, record, event, signal) =>
      inTransaction(client, signal, async (session) => {
        const options = { session, signal };
        if (!(await replace(tenant, record, options))) return false;
        await addEvents(auditEvents, tenant, [event], options);
        return true;
      }),

    async rotate(tenant, retired, successor, event, signal) {
      try {
        return await inTransaction(client, signal, async (session) => {
          const options = { session, signal };
          if (!(await replace(tenant, retired, options))) return false;
          await addKey(keys, documentOf(tenant, successor, null), options);
          await addEvents(auditEvents, tenant, [event], options);
          return true;
        });
      } catch (error) {
        // The successor's id is taken, and the transaction undone.
        if (isDuplicateKey(error)) return false;
        throw error;
      }
    },

    delete: (tenant, kind, keyId, event, signal) =>
      inTransaction(client, signal, async (session) => {
        const options: WriteOptions = { session, signal };
        const tombstone = { _id: "$_id", tombstoneRevision: { $add: ["$revision", 1] }, deleteTime: "$$NOW" };
        const left = await tombstones.findOneAndUpdate({ _id: documentId(tenant, keyId), kind }, [{ $replaceWith: tombstone }], {
          returnDocument: "after",
          ...options,
        });
        if (left === null) return null;
        await addEvents(auditEvents, tenant, [event], options);
        return left.tombstoneRevision;
      }),

    async touch(tenant, uses, signal) {
      if (uses.length === 0) return;
      const updates = uses.map(({ keyId, lastUsedTimeMs }) => ({
        updateOne: {
          filter: { _id: documentId(tenant, keyId), revision: { $gt: 0 } },
          update: { $max: { lastUsedTimeMs } },
        },
      }));
      const options = { ordered: false, signal };
      await keys.bulkWrite(updates, options);
    },
  };
}
