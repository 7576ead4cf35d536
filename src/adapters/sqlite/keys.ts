import type { DatabaseSync } from "node:sqlite";
import { isInChain, type KeyKind, type KeyRecord } from "../../core/key.ts";
import { claimsOf } from "../../core/tenant.ts";
import type { Clock } from "../../ports/clock.ts";
import type { InsertOutcome, LastUse, NewKey, RequestMark, UsedRequest } from "../../ports/key-store.ts";
import { prepareClaims } from "./claims.ts";
import { preparePlaces } from "./places.ts";
import { recordColumns, recordOfRow, recordSelection, recordValues } from "./row.ts";

/**
 * The operations of the key store on one key. Each function that changes something needs its own transaction and is undone if it throws.
 */
export interface Keys {
  get(tenant: string, keyId: string): KeyRecord | null;
  insert(tenant: string, key: NewKey): InsertOutcome;
  replace(tenant: string, record: KeyRecord): boolean;
  rotate(tenant: string, retired: KeyRecord, successor: KeyRecord, request: RequestMark | null): boolean;
  findRequest(tenant: string, kind: KeyKind, requestId: string): UsedRequest | null;
  /** `revision`: only that one; null: any. */
  delete(tenant: string, kind: KeyKind, keyId: string, revision?: number | null): number | null;
  touch(tenant: string, uses: readonly LastUse[]): void;
}

/** `maxKeysOf`: keys of a tenant that are not revoked, at most; null: as many as one likes. */
export function prepareKeys(database: DatabaseSync, clock: Clock, maxKeysOf: (tenant: string) => number | null): Keys {
  const { selectKey, selectFirstRevision, selectBatchMark, insertKey, replaceKey, deleteKey, touchKey } = prepareKeyStatements(database);
  const places = preparePlaces(database, clock);
  const claims = prepareClaims(database);
  const { selectTombstone, insertTombstone, deleteTombstone, selectMark, insertMark, selectUsed } = prepareTraceStatements(database);

  function get(tenant: string, keyId: string): KeyRecord | null {
    const row = selectKey.get(tenant, keyId);
    return row === undefined ? null : recordOfRow(row);
  }

  /** Returns the record as it was stored, or null if its id is used. */
  function add(tenant: string, given: KeyRecord, batchMark: string | null = null): KeyRecord | null {
    const tombstone = selectTombstone.get(tenant, given.keyId) as { revision: number } | undefined;
    const revision = Math.max(given.revision, tombstone === undefined ? 0 : tombstone.revision + 1);
    const record = { ...given, revision, firstRevision: revision };
    if (insertKey.run(...recordValues(record), tenant, revision, batchMark).changes === 0) return null;
    if (tombstone !== undefined) deleteTombstone.run(tenant, record.keyId);
    return record;
  }

  function replace(tenant: string, record: KeyRecord): boolean {
    return replaceKey.run(...recordValues(record).slice(0, -1), tenant, record.keyId, record.revision - 1).changes === 1;
  }

  /** The outcome for an insert whose key id is used. */
  function usedBy(tenant: string, keyId: string, batchMark: string | null = null): InsertOutcome {
    const isRepeated = batchMark !== null && selectBatchMark.get(tenant, keyId)?.batch_mark === batchMark;
    return isRepeated ? { outcome: "batch_repeated", record: get(tenant, keyId) as KeyRecord } : { outcome: "key_id_used" };
  }

  function useOf(tenant: string): number {
    const row = selectUsed.get(tenant) as { used: number } | undefined;
    return row?.used ?? 0;
  }

  /** Returns the key that a request made, unless it was deleted since. Another key with its id does not count. */
  function keyOfMark(tenant: string, mark: MarkRow): KeyRecord | null {
    const row = selectFirstRevision.get(tenant, mark.key_id) as { first_revision: number } | undefined;
    return row?.first_revision === mark.first_revision ? get(tenant, mark.key_id) : null;
  }

  function findRequest(tenant: string, kind: KeyKind, requestId: string): UsedRequest | null {
    const mark = selectMark.get(tenant, kind, requestId) as unknown as MarkRow | undefined;
    return mark === undefined ? null : { payloadDigest: mark.payload_digest, record: keyOfMark(tenant, mark) };
  }

  function addMark(tenant: string, { kind, keyId, revision }: KeyRecord, { requestId, payloadDigest }: RequestMark): void {
    insertMark.run(tenant, kind, requestId, payloadDigest, keyId, revision, clock());
  }

  return {
    get,
    findRequest,

    replace(tenant, record) {
      const wanted = claimsOf(record);
      if (!claims.areFree(tenant, record.keyId, wanted)) return false;
      const giveBack = record.revocation !== null && isInChain(record) ? places.giveBack(tenant, record) : null;
      const isReplaced = replace(tenant, record);
      if (isReplaced) giveBack?.();
      if (isReplaced && record.kind === "tenant") claims.set(tenant, record.keyId, wanted);
      return isReplaced;
    },

    insert(tenant, { record, request, batchMark }) {
      const used = request === null ? null : findRequest(tenant, record.kind, request.requestId);
      if (used !== null) return { outcome: "request_id_used", ...used };
      const maxKeys = record.revocation === null ? maxKeysOf(tenant) : null;
      if (maxKeys !== null) {
        const used = useOf(tenant);
        const isFull = used >= maxKeys && selectFirstRevision.get(tenant, record.keyId) === undefined;
        if (isFull) return { outcome: "quota_exhausted", limit: maxKeys, used };
      }
      const wanted = claimsOf(record);
      const stored = claims.areFree(tenant, record.keyId, wanted) ? add(tenant, record, batchMark) : null;
      if (stored === null) return usedBy(tenant, record.keyId, batchMark);
      if (wanted.length > 0) claims.set(tenant, record.keyId, wanted);
      if (request !== null) addMark(tenant, stored, request);
      return { outcome: "inserted", record: stored };
    },

    rotate(tenant, retired, successor, request) {
      if (request !== null && findRequest(tenant, successor.kind, request.requestId) !== null) return false;
      if (selectFirstRevision.get(tenant, successor.keyId) !== undefined || !replace(tenant, retired)) return false;
      if (retired.revocation === null) places.handOn(tenant, retired.keyId);
      const stored = add(tenant, successor);
      if (stored !== null && request !== null) addMark(tenant, stored, request);
      return stored !== null;
    },

    delete(tenant, kind, keyId, revision = null) {
      const deleted = deleteKey.get(tenant, keyId, kind, revision, revision) as { revision: number } | undefined;
      if (deleted === undefined) return null;
      insertTombstone.run(tenant, keyId, deleted.revision + 1);
      if (kind === "tenant") claims.set(tenant, keyId, []);
      return deleted.revision + 1;
    },

    touch(tenant, uses) {
      for (const use of uses) touchKey.run({ tenant, keyId: use.keyId, lastUsedTimeMs: use.lastUsedTimeMs });
    },
  };
}

interface MarkRow {
  readonly payload_digest: string;
  readonly key_id: string;
  readonly first_revision: number;
}

function prepareKeyStatements(database: DatabaseSync) {
  const columns = [...recordColumns, "tenant", "first_revision", "batch_mark"];
  const assignments = recordColumns.slice(0, -1).map((column) => `${column} = ?`);
  return {
    selectKey: database.prepare(`SELECT ${recordSelection} FROM keys WHERE tenant = ? AND key_id = ?`),
    selectFirstRevision: database.prepare("SELECT first_revision FROM keys WHERE tenant = ? AND key_id = ?"),
    selectBatchMark: database.prepare("SELECT batch_mark FROM keys WHERE tenant = ? AND key_id = ?"),
    insertKey: database.prepare(
      `INSERT INTO keys (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")}) ON CONFLICT DO NOTHING`,
    ),
    replaceKey: database.prepare(`UPDATE keys SET ${assignments.join(", ")} WHERE tenant = ? AND key_id = ? AND revision = ?`),
    deleteKey: database.prepare(
      "DELETE FROM keys WHERE tenant = ? AND key_id = ? AND kind = ? AND (? IS NULL OR revision = ?) RETURNING revision",
    ),
    touchKey: database.prepare(
      `UPDATE keys SET last_used_time_ms = $lastUsedTimeMs
       WHERE tenant = $tenant AND key_id = $keyId AND (last_used_time_ms IS NULL OR last_used_time_ms < $lastUsedTimeMs)`,
    ),
  };
}

/** Statements on what outlives a key (its tombstone and the mark of the request that made it) and on the number of keys. */
function prepareTraceStatements(database: DatabaseSync) {
  return {
    selectTombstone: database.prepare("SELECT revision FROM tombstones WHERE tenant = ? AND key_id = ?"),
    insertTombstone: database.prepare("INSERT INTO tombstones (tenant, key_id, revision) VALUES (?, ?, ?)"),
    deleteTombstone: database.prepare("DELETE FROM tombstones WHERE tenant = ? AND key_id = ?"),
    selectMark: database.prepare(
      "SELECT payload_digest, key_id, first_revision FROM request_marks WHERE tenant = ? AND kind = ? AND request_id = ?",
    ),
    selectUsed: database.prepare("SELECT used FROM key_counts WHERE tenant = ?"),
    insertMark: database.prepare(
      `INSERT INTO request_marks (tenant, kind, request_id, payload_digest, key_id, first_revision, create_time_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ),
  };
}
