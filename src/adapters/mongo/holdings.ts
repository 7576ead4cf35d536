import type { Collection } from "mongodb";
import type { KeyRecord } from "../../core/key.ts";
import { holdingsOf } from "../../core/tenant.ts";
import type { WriteOptions } from "./database.ts";
import { documentId } from "./document.ts";

/**
 * `_id` is the holding, so that no two records share one. It is not a unique index of the records, because a sharded cluster allows such an
 * index only if it begins with the shard key. This collection stays unsharded.
 */
export interface HoldingDocument {
  readonly _id: string;
  /** The `_id` of the record. */
  readonly owner: string;
}

/**
 * Gives a record exactly the holdings that it states. Rejects with a duplicate key error if another record has one of them. Call it in the
 * transaction that writes the record.
 */
export async function setHoldings(
  holdings: Collection<HoldingDocument>,
  tenant: string,
  record: KeyRecord,
  options: WriteOptions,
): Promise<void> {
  const owner = documentId(tenant, record.keyId);
  const wanted = holdingsOf(record);
  await holdings.deleteMany({ owner, _id: { $nin: [...wanted] } }, options);
  const held = new Set((await holdings.find({ owner }, options).toArray()).map(({ _id }) => _id));
  const added = wanted.filter((holding) => !held.has(holding)).map((_id) => ({ _id, owner }));
  if (added.length > 0) await holdings.insertMany(added, options);
}

/** The holdings of new records, as `setHoldings` stores them. */
export function holdingDocuments(tenant: string, records: readonly KeyRecord[]): HoldingDocument[] {
  return records.flatMap((record) => holdingsOf(record).map((_id) => ({ _id, owner: documentId(tenant, record.keyId) })));
}

export async function removeHoldings(
  holdings: Collection<HoldingDocument>,
  tenant: string,
  keyId: string,
  options: WriteOptions,
): Promise<void> {
  await holdings.deleteMany({ owner: documentId(tenant, keyId) }, options);
}
