import type { Collection, Filter, FindCursor } from "mongodb";
import type { KeyStatus } from "../../core/key.ts";
import type { ListPart, ListQuery } from "../../ports/key-store.ts";
import { idsAfter, type KeyDocument, recordOf } from "./document.ts";

/** As core's `statusAt` judges. */
function statusFilter(status: KeyStatus | undefined, nowMs: number): Filter<KeyDocument> {
  switch (status) {
    case "active":
      return { revoked: false, expireTimeMs: { $gt: nowMs } };
    case "expired":
      return { revoked: false, expireTimeMs: { $lte: nowMs } };
    case "revoked":
      return { revoked: true };
    case undefined:
      return { revoked: { $in: [false, true] } };
  }
}

/**
 * The query for one page. It walks an index in order and no further than the page goes. The index is named, so that the planner has
 * nothing to try out and cannot take a worse one.
 */
export function listCursor(keys: Collection<KeyDocument>, tenant: string, query: ListQuery, signal?: AbortSignal): FindCursor<KeyDocument> {
  const filter: Filter<KeyDocument> = {
    kind: query.kind,
    _id: idsAfter(tenant, query.afterKeyId ?? ""),
    ...statusFilter(query.status, query.nowMs),
    ...(query.actorId === undefined ? {} : { actorId: query.actorId }),
  };
  const hint = query.actorId === undefined ? "keys_by_kind" : "keys_by_actor";
  return keys.find(filter, { sort: { _id: 1 }, hint, limit: query.limit, batchSize: query.limit, signal }) as FindCursor<KeyDocument>;
}

export async function listKeys(keys: Collection<KeyDocument>, tenant: string, query: ListQuery, signal: AbortSignal): Promise<ListPart> {
  const records = (await listCursor(keys, tenant, query, signal).toArray()).map(recordOf);
  return { records, lastKeyId: records.length === query.limit ? (records.at(-1)?.keyId ?? null) : null };
}
