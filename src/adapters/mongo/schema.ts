import type { Collection, CreateIndexesOptions, Db, Document, IndexDescription } from "mongodb";
import { dayMs, secondMs } from "../../core/time-units.ts";
import { markLifeMs } from "../../ports/key-store.ts";
import type { AuditEventDocument, KeyCountDocument, KeyDocument, RequestMarkDocument, Tombstone } from "./document.ts";
import { addFilterFields } from "./filter-fields.ts";
import type { HoldingDocument } from "./holdings.ts";

/** How long the revision of a deleted key is kept: longer than any cache keeps a record. */
const tombstoneLifeSeconds = (7 * dayMs) / secondMs;
const markLifeSeconds = markLifeMs / secondMs;

/**
 * Lists of all keys or of an actor's go by `_id`, so their indexes hold the fields of the filter, then `_id`. A list without a status
 * merges the two halves of its index in order. Active and expired keys are found in the order of their expiry, because a key's status
 * changes with the clock, which only that order can follow. No list uses the `expireTimeMs` after an `_id` any more, but processes of
 * earlier versions do.
 *
 * Each of the other filters and orders has an index that begins with the tenant. Those in the order of a time hold revoked keys apart.
 */
export const keyIndexes = [
  { name: "keys_by_kind", key: { kind: 1, revoked: 1, _id: 1, expireTimeMs: 1 } },
  { name: "keys_by_actor", key: { kind: 1, actorId: 1, revoked: 1, _id: 1, expireTimeMs: 1 } },
  { name: "keys_disabled", key: { kind: 1, _id: 1 }, partialFilterExpression: { disabled: true } },
  { name: "keys_placeless", key: { lineageId: 1, _id: 1 }, partialFilterExpression: { placeless: true } },
  { name: "keys_by_create_time", key: { tenant: 1, kind: 1, revoked: 1, createTimeMs: 1, _id: 1 } },
  { name: "keys_by_expire_time", key: { tenant: 1, kind: 1, revoked: 1, expireTimeMs: 1, _id: 1 } },
  { name: "keys_by_use", key: { tenant: 1, kind: 1, revoked: 1, useHour: 1, _id: 1 } },
  { name: "keys_by_name", key: { tenant: 1, kind: 1, name: 1, _id: 1 } },
  { name: "keys_by_term", key: { tenant: 1, kind: 1, terms: 1, _id: 1 } },
  { name: "tombstones_by_delete_time", key: { deleteTime: 1 }, sparse: true, expireAfterSeconds: tombstoneLifeSeconds },
] as const satisfies IndexDescription[];

const markIndexes = [
  { name: "marks_by_create_time", key: { createTime: 1 }, expireAfterSeconds: markLifeSeconds },
] as const satisfies IndexDescription[];

const holdingIndexes = [{ name: "holdings_by_owner", key: { owner: 1 } }] as const satisfies IndexDescription[];

/** Events sort by id, and so by time. The last index removes them at a configured age. */
const auditIndexes = [
  { name: "events_by_key", key: { keyIds: 1, _id: 1 } },
  { name: "events_by_method", key: { method: 1, _id: 1, caller: 1 } },
  { name: "events_by_caller", key: { caller: 1, _id: 1 } },
  { name: "events_by_time", key: { time: 1 }, expireAfterSeconds: 0 },
] as const satisfies IndexDescription[];

export interface Collections {
  readonly keys: Collection<KeyDocument>;
  /** The same collection, for tombstones of deleted keys. */
  readonly tombstones: Collection<Tombstone>;
  readonly marks: Collection<RequestMarkDocument>;
  readonly auditEvents: Collection<AuditEventDocument>;
  readonly keyCounts: Collection<KeyCountDocument>;
  readonly holdings: Collection<HoldingDocument>;
}

export function collectionsOf(db: Db): Collections {
  // `useBigInt64` because quotas go up to 2^63 - 1.
  const keys = db.collection<KeyDocument>("keys", { useBigInt64: true });
  return {
    keys,
    tombstones: db.collection<Tombstone>("keys"),
    marks: db.collection<RequestMarkDocument>("request_marks"),
    auditEvents: db.collection<AuditEventDocument>("audit_events"),
    keyCounts: db.collection<KeyCountDocument>("key_counts"),
    holdings: db.collection<HoldingDocument>("holdings"),
  };
}

/**
 * Creates missing collections and indexes, without a time limit. Rejects with an Error that names the index if one exists and differs;
 * ignores additional indexes. Processes may do this at the same time.
 */
export async function ensureSchema(db: Db, auditRetentionMs: number): Promise<void> {
  // A transaction can create a collection too, but two transactions cannot at the same time.
  for (const name of ["keys", "request_marks", "audit_events", "key_counts", "holdings", "cache_generation"])
    await ensureCollection(db, name);
  await ensureIndexes(db, "keys", keyIndexes);
  await addFilterFields(db);
  await ensureIndexes(db, "request_marks", markIndexes);
  await ensureIndexes(db, "holdings", holdingIndexes);
  const expireAfterSeconds = Math.ceil(auditRetentionMs / secondMs);
  await setExpiry(db, "audit_events", "events_by_time", expireAfterSeconds);
  await ensureIndexes(
    db,
    "audit_events",
    auditIndexes.map((index) => ("expireAfterSeconds" in index ? { ...index, expireAfterSeconds } : index)),
  );
}

/** If the processes that share the store disagree, the one that started last wins. */
async function setExpiry(db: Db, collection: string, name: string, expireAfterSeconds: number): Promise<void> {
  const found = (await db.collection(collection).indexes()).find((index) => index.name === name);
  if (found?.expireAfterSeconds === undefined || found.expireAfterSeconds === expireAfterSeconds) return;
  await db.command({ collMod: collection, index: { name, expireAfterSeconds } });
}

async function ensureIndexes(db: Db, collection: string, wanted: readonly IndexDescription[]): Promise<void> {
  await checkIndexes(db, collection, wanted);
  // Building an index on many keys takes longer than any read or write may.
  const unhurried: CreateIndexesOptions & { socketTimeoutMS: number } = { socketTimeoutMS: 0 };
  // All indexes, also existing ones: a process that starts at the same time may still be building one, and a hint must not name it until it
  // is built. This call waits for that.
  await db.collection(collection).createIndexes([...wanted], unhurried);
}

/**
 * No collection is clustered by `_id`, which would save a look-up for each key that is read: MongoDB 6.0 reads such a collection from start
 * to end to find several ids at once (`createGroupRead`).
 */
async function ensureCollection(db: Db, name: string): Promise<void> {
  const [found] = await db.listCollections({ name }).toArray();
  if (found === undefined) {
    await db.createCollection(name).catch((error: { codeName?: string }) => {
      if (error.codeName !== "NamespaceExists") throw error;
    });
  } else if ("options" in found && found.options?.collation !== undefined) {
    throw new Error(`the collection ${name} has a collation, under which different ids can be equal; create it again without one`);
  }
}

/** Throws if an index has the name or the fields of a wanted one but differs from it. */
async function checkIndexes(db: Db, collection: string, all: readonly IndexDescription[]): Promise<void> {
  const found = await db.collection(collection).indexes();
  for (const wanted of all) {
    const same = found.find(({ name, key }) => name === wanted.name || JSON.stringify(key) === JSON.stringify(wanted.key));
    if (same !== undefined && essence(same) !== essence(wanted)) {
      throw new Error(
        `the index ${same.name} of the collection ${collection} differs from what Keywright needs: drop it; Keywright creates it again`,
      );
    }
  }
}

/** Returns, as text, the properties in which two indexes must agree. The order of an index's fields matters. */
function essence(index: Document): string {
  const { name, key, unique = false, sparse = false, hidden = false, expireAfterSeconds, partialFilterExpression, collation } = index;
  return JSON.stringify([name, key, unique, sparse, hidden, expireAfterSeconds, partialFilterExpression, collation]);
}
