import type { Collection } from "mongodb";
import type { KeyRecord } from "../../core/key.ts";
import { claimsOf } from "../../core/tenant.ts";
import type { WriteOptions } from "./database.ts";
import { documentId } from "./document.ts";

/**
 * `_id` is the claim, so that no two records share one. It is not a unique index of the records, because a sharded cluster allows such an
 * index only if it begins with the shard key. This collection stays unsharded.
 */
export interface ClaimDocument {
  readonly _id: string;
  /** The `_id` of the record. */
  readonly owner: string;
}

/**
 * Gives a record exactly the claims that it states. Rejects with a duplicate key error if another record has one of them. Call it in the
 * transaction that writes the record.
 */
export async function setClaims(
  claims: Collection<ClaimDocument>,
  tenant: string,
  record: KeyRecord,
  options: WriteOptions,
): Promise<void> {
  const owner = documentId(tenant, record.keyId);
  const wanted = claimsOf(record);
  await claims.deleteMany({ owner, _id: { $nin: [...wanted] } }, options);
  const held = new Set((await claims.find({ owner }, options).toArray()).map(({ _id }) => _id));
  const added = wanted.filter((claim) => !held.has(claim)).map((_id) => ({ _id, owner }));
  if (added.length > 0) await claims.insertMany(added, options);
}

/** The claims of new records, as `setClaims` stores them. */
export function claimDocuments(tenant: string, records: readonly KeyRecord[]): ClaimDocument[] {
  return records.flatMap((record) => claimsOf(record).map((_id) => ({ _id, owner: documentId(tenant, record.keyId) })));
}

export async function removeClaims(claims: Collection<ClaimDocument>, tenant: string, keyId: string, options: WriteOptions): Promise<void> {
  await claims.deleteMany({ owner: documentId(tenant, keyId) }, options);
}
