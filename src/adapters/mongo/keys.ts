import type { ClientSession, MongoClient } from "mongodb";
import type { AuditEvent } from "../../core/audit.ts";
import type { KeyKind, KeyRecord } from "../../core/key.ts";
import type { LastUse } from "../../ports/key-store.ts";
import { addEvents } from "./audit.ts";
import type { WriteOptions } from "./database.ts";
import { documentId, documentOf, hourOf, recordOf, replacedFields } from "./document.ts";
import { isDuplicateKey } from "./errors.ts";
import { addKey } from "./inserts.ts";
import type { Quota } from "./quota.ts";
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
export function createKeys(client: MongoClient, { keys, auditEvents }: Collections, quota: Quota): Keys {
  /** What the record that was replaced says of its being revoked; null if there is none to replace. */
  async function replace(tenant: string, record: KeyRecord, options: WriteOptions): Promise<{ readonly revoked: boolean } | null> {
    const previous = { _id: documentId(tenant, record.keyId), revision: record.revision - 1 };
    const returned = { returnDocument: "before", projection: { _id: 0, revoked: 1 } } as const;
    return keys.findOneAndUpdate(previous, { $set: replacedFields(record) }, { ...returned, ...options });
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

    replace: (tenant, record, event, signal) => {
      const body = async (session: ClientSession) => {
        const options = { session, signal };
        const replaced = await replace(tenant, record, options);
        if (replaced === null) return false;
        if (!replaced.revoked && record.revocation !== null) await quota.release(tenant, options);
        await addEvents(auditEvents, tenant, [event], options);
        return true;
      };
      return record.revocation === null ? inTransaction(client, signal, body) : quota.transaction(tenant, signal, body);
    },

    async rotate(tenant, retired, successor, event, signal) {
      try {
        return await inTransaction(client, signal, async (session) => {
          const options = { session, signal };
          if ((await replace(tenant, retired, options)) === null) return false;
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
      quota.transaction(tenant, signal, async (session) => {
        const options: WriteOptions = { session, signal };
        const tombstone = { _id: "$_id", tombstoneRevision: { $add: ["$revision", 1] }, deleteTime: "$$NOW" };
        const deleted = await keys.findOneAndUpdate({ _id: documentId(tenant, keyId), kind }, [{ $replaceWith: tombstone }], {
          returnDocument: "before",
          projection: { _id: 0, revision: 1, revoked: 1 },
          ...options,
        });
        if (deleted === null) return null;
        if (!deleted.revoked) await quota.release(tenant, options);
        await addEvents(auditEvents, tenant, [event], options);
        return deleted.revision + 1;
      }),

    async touch(tenant, uses, signal) {
      if (uses.length === 0) return;
      const updates = uses.map(({ keyId, lastUsedTimeMs }) => ({
        updateOne: {
          filter: { _id: documentId(tenant, keyId), revision: { $gt: 0 } },
          update: { $max: { lastUsedTimeMs, useHour: hourOf(lastUsedTimeMs) } },
        },
      }));
      const options = { ordered: false, signal };
      await keys.bulkWrite(updates, options);
    },
  };
}
