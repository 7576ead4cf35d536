import type { ClientSession, MongoClient } from "mongodb";
import type { AuditEvent } from "../../core/audit.ts";
import type { KeyKind, KeyRecord } from "../../core/key.ts";
import type { Clock } from "../../ports/clock.ts";
import type { DeleteOptions, LastUse, RequestMark, UsedRequest } from "../../ports/key-store.ts";
import { collectInTurns } from "../../turns.ts";
import { addKey } from "./add-key.ts";
import { addEvents } from "./audit.ts";
import type { WriteOptions } from "./database.ts";
import { documentId, documentOf, hourOf, type KeyDocument, markId, recordOf, replacedFields } from "./document.ts";
import { isDuplicateKey } from "./errors.ts";
import { removeHoldings, setHoldings } from "./holdings.ts";
import { inOneReply } from "./insert-look-up.ts";
import { createPlaces, type Replaced } from "./places.ts";
import type { Quota } from "./quota.ts";
import { markOf, usedRequestOf } from "./request-marks.ts";
import type { Collections } from "./schema.ts";
import { inTransaction } from "./transaction.ts";

/** The driver writes a message in one turn of the event loop. A message of all uses of a busy time took 50 ms of CPU. */
const maxUsesPerMessage = 250;

/** Operations of the key store on existing keys. Each runs until its signal aborts. */
export interface Keys {
  /** By document id. */
  getMany(ids: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, KeyRecord>>;
  replace(tenant: string, record: KeyRecord, event: AuditEvent, signal: AbortSignal): Promise<boolean>;
  rotate(tenant: string, rotation: Rotation, event: AuditEvent, signal: AbortSignal): Promise<boolean>;
  findRequest(tenant: string, kind: KeyKind, requestId: string, signal: AbortSignal): Promise<UsedRequest | null>;
  delete(tenant: string, deletion: Deletion, event: AuditEvent, signal: AbortSignal): Promise<number | null>;
  tombstoneRevision(tenant: string, keyId: string, signal: AbortSignal): Promise<number | null>;
  touch(uses: readonly LastUse[], signal: AbortSignal): Promise<void>;
}

export interface Deletion extends DeleteOptions {
  readonly kind: KeyKind;
  readonly keyId: string;
}

export interface Rotation {
  readonly retired: KeyRecord;
  readonly successor: KeyRecord;
  readonly request: RequestMark | null;
}

/**
 * A change and its audit event are one transaction. A transaction that finds nothing to change also waits for a majority, so false is as
 * durable an answer as true.
 */
export function createKeys(client: MongoClient, collections: Collections, quota: Quota, clock: Clock): Keys {
  const { keys, tombstones, marks, auditEvents, holdings } = collections;
  const places = createPlaces(keys, quota, clock);

  return {
    getMany: (ids, signal) => readKeys(keys, ids, signal),

    async replace(tenant, record, event, signal) {
      const body = async (session: ClientSession) => {
        const options = { session, signal };
        const replaced = await replaceKey(keys, tenant, record, options);
        if (replaced === null) return false;
        if (record.kind === "tenant") await setHoldings(holdings, tenant, record, options);
        else if (record.revocation !== null) await places.giveBack(tenant, record, replaced, options);
        await addEvents(auditEvents, tenant, [event], options);
        return true;
      };
      const isCounted = record.revocation !== null && record.kind !== "tenant";
      // A duplicate: another record has one of its holdings.
      return falseIfDuplicate(isCounted ? quota.transaction(tenant, signal, body) : inTransaction(client, signal, body));
    },

    async findRequest(tenant, kind, requestId, signal) {
      // Linearizable: a rotation that was just refused because of its request id must find the mark that caused this.
      const mark = await marks.findOne({ _id: markId(tenant, kind, requestId) }, { readConcern: "linearizable", signal });
      if (mark === null) return null;
      return usedRequestOf(mark, (await keys.findOne({ _id: documentId(tenant, mark.keyId) }, { signal })) ?? undefined);
    },

    rotate(tenant, { retired, successor, request }, event, signal) {
      const isInGrace = retired.revocation === null;
      const rotated = inTransaction(client, signal, async (session) => {
        const options = { session, signal };
        if ((await replaceKey(keys, tenant, retired, options, isInGrace ? { placeless: true } : {})) === null) return false;
        if (request !== null) await marks.insertOne(markOf(tenant, successor, request, clock()), options);
        await addKey(keys, documentOf(tenant, successor, request?.requestId ?? null), options);
        await addEvents(auditEvents, tenant, [event], options);
        return true;
      });
      // A duplicate: the successor's id or the request id is used.
      return falseIfDuplicate(rotated);
    },

    delete: (tenant, deletion, event, signal) =>
      quota.transaction(tenant, signal, async (session) => {
        const options: WriteOptions = { session, signal };
        const deleted = await buryKey(keys, tenant, deletion, options);
        if (deleted === null) return null;
        const { lineageId = deletion.keyId, supersededBy = null } = deleted;
        await places.giveBack(tenant, { keyId: deletion.keyId, lineageId, supersededBy }, deleted, options);
        const { kind, forgetRequestId = null } = deletion;
        if (forgetRequestId !== null) await marks.deleteOne({ _id: markId(tenant, kind, forgetRequestId) }, options);
        if (deletion.kind === "tenant") await removeHoldings(holdings, tenant, deletion.keyId, options);
        await addEvents(auditEvents, tenant, [event], options);
        return deleted.revision + 1;
      }),

    async tombstoneRevision(tenant, keyId, signal) {
      const options = { projection: { _id: 0, tombstoneRevision: 1 }, signal };
      return (await tombstones.findOne({ _id: documentId(tenant, keyId) }, options))?.tombstoneRevision ?? null;
    },

    async touch(uses, signal) {
      const options = { ordered: false, signal };
      for (let start = 0; start < uses.length; start += maxUsesPerMessage) {
        await keys.bulkWrite(uses.slice(start, start + maxUsesPerMessage).map(updateOfUse), options);
      }
    },
  };
}

async function readKeys(keys: Collections["keys"], ids: readonly string[], signal: AbortSignal): Promise<Map<string, KeyRecord>> {
  const found =
    ids.length === 1
      ? [await keys.findOne({ _id: ids[0] as string }, { signal })]
      : // With the hint the server does not look at all other indexes for a better plan.
        await collectInTurns(keys.find({ _id: { $in: ids } }, { ...inOneReply(ids.length, signal), hint: "_id_" }));
  const records = new Map<string, KeyRecord>();
  // A tombstone has no kind.
  for (const document of found) if (document?.kind !== undefined) records.set(document._id, recordOf(document));
  return records;
}

/** A transaction with a duplicate key was rolled back: nothing was changed. */
async function falseIfDuplicate(changed: Promise<boolean>): Promise<boolean> {
  try {
    return await changed;
  } catch (error) {
    if (isDuplicateKey(error)) return false;
    throw error;
  }
}

/**
 * By nothing but `_id`: such an update needs no plan, which was a third of its cost. So it also marks the tombstone of a key that was
 * deleted after its use, and a key that was imported again after it (see `recordOf`).
 */
function updateOfUse({ tenant, keyId, lastUsedTimeMs }: LastUse) {
  return {
    updateOne: {
      filter: { _id: documentId(tenant, keyId) },
      update: { $max: { lastUsedTimeMs, useHour: hourOf(lastUsedTimeMs) } },
    },
  };
}

/** Returns what the record replaced, or null if there is no record of the previous revision. */
async function replaceKey(
  keys: Collections["keys"],
  tenant: string,
  record: KeyRecord,
  options: WriteOptions,
  more: Pick<KeyDocument, "placeless"> = {},
): Promise<Replaced | null> {
  const previous = { _id: documentId(tenant, record.keyId), revision: record.revision - 1 };
  const returned = { returnDocument: "before", projection: { _id: 0, revoked: 1, disabled: 1, placeless: 1 } } as const;
  return keys.findOneAndUpdate(previous, { $set: { ...replacedFields(record), ...more } }, { ...returned, ...options });
}

/** Leaves a tombstone. Returns the replaced key, or null if no key is found. */
async function buryKey(
  keys: Collections["keys"],
  tenant: string,
  { kind, keyId, revision, forgetBatch = false }: Deletion,
  options: WriteOptions,
): Promise<(Replaced & Pick<KeyDocument, "revision" | "lineageId" | "supersededBy">) | null> {
  const tombstone = {
    _id: "$_id",
    tombstoneRevision: { $add: ["$revision", 1] },
    deleteTime: "$$NOW",
    ...(!forgetBatch && { batchMark: "$batchMark" }),
  };
  const found = { _id: documentId(tenant, keyId), kind, ...(revision !== undefined && { revision }) };
  return keys.findOneAndUpdate(found, [{ $replaceWith: tombstone }], {
    returnDocument: "before",
    projection: { _id: 0, revision: 1, revoked: 1, disabled: 1, placeless: 1, lineageId: 1, supersededBy: 1 },
    ...options,
  });
}
