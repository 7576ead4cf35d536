import type { DatabaseSync } from "node:sqlite";
import type { KeyKind, KeyRecord } from "../../core/key.ts";
import { holdingsOf } from "../../core/tenant.ts";
import type { Clock } from "../../ports/clock.ts";
import type { DeleteOptions, InsertOutcome, LastUse, NewKey, RequestMark, UsedRequest } from "../../ports/key-store.ts";
import { prepareHoldings } from "./holdings.ts";
import { prepareKeyCounts } from "./key-counts.ts";
import { preparePlaces } from "./places.ts";
import { prepareRequestMarks } from "./request-marks.ts";
import { prepareRows } from "./rows.ts";
import { isInSlot, prepareSlots } from "./slots.ts";
import { prepareTombstones } from "./tombstones.ts";

/**
 * The operations of the key store on one key. Each function that changes something needs its own transaction and is undone if it throws.
 */
export interface Keys {
  get(tenant: string, keyId: string): KeyRecord | null;
  insert(tenant: string, key: NewKey): InsertOutcome;
  replace(tenant: string, record: KeyRecord): boolean;
  rotate(tenant: string, retired: KeyRecord, successor: KeyRecord, request: RequestMark | null): boolean;
  findRequest(tenant: string, kind: KeyKind, requestId: string): UsedRequest | null;
  delete(tenant: string, kind: KeyKind, keyId: string, options?: DeleteOptions): number | null;
  tombstoneRevision(tenant: string, keyId: string): number | null;
  touch(uses: readonly LastUse[]): void;
}

/** `maxKeysOf` returns the maximum keys of a tenant that are not revoked; null: unlimited. */
export function prepareKeys(database: DatabaseSync, clock: Clock, maxKeysOf: (tenant: string) => number | null): Keys {
  const slots = prepareSlots(database);
  const places = preparePlaces(database, slots, clock);
  const holdings = prepareHoldings(database);
  const tombstones = prepareTombstones(database);
  const counts = prepareKeyCounts(database, maxKeysOf);
  const { get, keyOf, isUsed, isBatchOfDeleted, add, replace, usedBy } = prepareRows(database, slots, tombstones, counts);
  const marks = prepareRequestMarks(database, clock, keyOf);
  const { deleteKey, touchKey } = prepareKeyStatements(database);

  return {
    get,
    findRequest: marks.find,
    tombstoneRevision: tombstones.revisionOf,

    replace(tenant, record) {
      const wanted = holdingsOf(record);
      if (!holdings.areFree(tenant, record.keyId, wanted)) return false;
      const giveBack = places.giveBack(tenant, record.revocation === null ? null : record);
      const isReplaced = replace(tenant, record);
      if (isReplaced) giveBack();
      if (isReplaced && record.kind === "tenant") holdings.set(tenant, record.keyId, wanted);
      return isReplaced;
    },

    insert(tenant, { record, request, batchMark = null }) {
      const used = request === null ? null : marks.find(tenant, record.kind, request.requestId);
      if (used !== null) return { outcome: "request_id_used", ...used };
      const full = record.revocation === null ? counts.fullQuotaOf(tenant) : null;
      const isNew = () => !isUsed(tenant, record.keyId) && !isBatchOfDeleted(tenant, record.keyId, batchMark);
      if (full !== null && isNew()) return { outcome: "quota_exhausted", ...full };
      const wanted = holdingsOf(record);
      const stored = holdings.areFree(tenant, record.keyId, wanted) ? add(tenant, record, batchMark) : null;
      if (stored === null) return usedBy(tenant, record.keyId, batchMark);
      if (wanted.length > 0) holdings.set(tenant, record.keyId, wanted);
      if (request !== null) marks.add(tenant, stored, request);
      return { outcome: "inserted", record: stored };
    },

    rotate(tenant, retired, successor, request) {
      if (request !== null && marks.find(tenant, successor.kind, request.requestId) !== null) return false;
      if (isUsed(tenant, successor.keyId) || !replace(tenant, retired)) return false;
      if (retired.revocation === null) places.handOn(tenant, retired.keyId);
      const stored = add(tenant, successor);
      if (stored !== null && request !== null) marks.add(tenant, stored, request);
      return stored !== null;
    },

    delete(tenant, kind, keyId, { revision = null, forgetBatch = false, forgetRequestId = null } = {}) {
      // Keys of other kinds have no chains.
      const giveBack = places.giveBack(tenant, kind === "issued" ? get(tenant, keyId) : null);
      const deleted = deleteKey.get(slots.of(tenant, keyId), tenant, keyId, kind, revision, revision) as
        | { revision: number; batch_mark: string | null }
        | undefined;
      if (deleted === undefined) return null;
      tombstones.leave(tenant, keyId, deleted.revision + 1, forgetBatch ? null : deleted.batch_mark);
      if (forgetRequestId !== null) marks.remove(tenant, kind, forgetRequestId);
      giveBack();
      if (kind === "tenant") holdings.set(tenant, keyId, []);
      return deleted.revision + 1;
    },

    touch(uses) {
      for (const { tenant, keyId, lastUsedTimeMs } of uses) {
        touchKey.run(lastUsedTimeMs, slots.of(tenant, keyId), tenant, keyId, lastUsedTimeMs, lastUsedTimeMs);
      }
    },
  };
}

function prepareKeyStatements(database: DatabaseSync) {
  return {
    deleteKey: database.prepare(
      `DELETE FROM keys WHERE ${isInSlot} AND kind = ? AND (? IS NULL OR revision = ?) RETURNING revision, batch_mark`,
    ),
    touchKey: database.prepare(
      `UPDATE keys SET last_used_time_ms = ?
       WHERE ${isInSlot} AND create_time_ms <= ? AND (last_used_time_ms IS NULL OR last_used_time_ms < ?)`,
    ),
  };
}
