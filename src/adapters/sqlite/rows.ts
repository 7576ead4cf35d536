import type { DatabaseSync } from "node:sqlite";
import type { KeyRecord } from "../../core/key.ts";
import type { InsertOutcome } from "../../ports/key-store.ts";
import { prepareRowArrays, recordColumns, recordOfRow, recordSelection, recordValues } from "./row.ts";
import { prepareTerms } from "./terms.ts";
import type { Tombstones } from "./tombstones.ts";

/** Records as rows of the table of keys. Call `add` and `replace` in a transaction. */
export interface Rows {
  get(tenant: string, keyId: string): KeyRecord | null;
  /** Returns the key with this id, unless it was deleted after it began with this revision. */
  keyOf(tenant: string, keyId: string, firstRevision: number): KeyRecord | null;
  isUsed(tenant: string, keyId: string): boolean;
  /** Returns the record as it was stored, or null if its id is used. */
  add(tenant: string, given: KeyRecord, batchMark?: string | null): KeyRecord | null;
  /** Returns false if there is no record of the previous revision. */
  replace(tenant: string, record: KeyRecord): boolean;
  /** The outcome for an insert whose key id is used. */
  usedBy(tenant: string, keyId: string, batchMark: string | null | undefined): InsertOutcome;
}

export function prepareRows(database: DatabaseSync, tombstones: Tombstones): Rows {
  const { selectKey, selectFirstRevision, selectBatchMark, insertKey, replaceKey } = prepareStatements(database);

  const addTerms = prepareTerms(database);

  function get(tenant: string, keyId: string): KeyRecord | null {
    const row = selectKey.get(tenant, keyId);
    return row === undefined ? null : recordOfRow(row);
  }

  return {
    get,
    keyOf(tenant, keyId, firstRevision) {
      const row = selectFirstRevision.get(tenant, keyId) as { first_revision: number } | undefined;
      return row?.first_revision === firstRevision ? get(tenant, keyId) : null;
    },
    isUsed: (tenant, keyId) => selectFirstRevision.get(tenant, keyId) !== undefined,
    add(tenant, given, batchMark = null) {
      const revisionAbove = tombstones.revisionAbove(tenant, given.keyId);
      const revision = Math.max(given.revision, revisionAbove);
      const record = { ...given, revision, firstRevision: revision };
      if (insertKey.run(...recordValues(record), tenant, revision, batchMark).changes === 0) return null;
      addTerms(tenant, record);
      if (revisionAbove > 0) tombstones.remove(tenant, record.keyId);
      return record;
    },
    replace: (tenant, record) =>
      replaceKey.run(...recordValues(record).slice(0, -1), tenant, record.keyId, record.revision - 1).changes === 1,
    usedBy(tenant, keyId, batchMark = null) {
      const isRepeated = batchMark !== null && selectBatchMark.get(tenant, keyId)?.batch_mark === batchMark;
      return isRepeated ? { outcome: "batch_repeated", record: get(tenant, keyId) as KeyRecord } : { outcome: "key_id_used" };
    },
  };
}

function prepareStatements(database: DatabaseSync) {
  const columns = [...recordColumns, "tenant", "first_revision", "batch_mark"];
  const assignments = recordColumns.slice(0, -1).map((column) => `${column} = ?`);
  return {
    selectKey: prepareRowArrays(database, `SELECT ${recordSelection} FROM keys WHERE tenant = ? AND key_id = ?`),
    selectFirstRevision: database.prepare("SELECT first_revision FROM keys WHERE tenant = ? AND key_id = ?"),
    selectBatchMark: database.prepare("SELECT batch_mark FROM keys WHERE tenant = ? AND key_id = ?"),
    insertKey: database.prepare(
      `INSERT INTO keys (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")}) ON CONFLICT DO NOTHING`,
    ),
    replaceKey: database.prepare(`UPDATE keys SET ${assignments.join(", ")} WHERE tenant = ? AND key_id = ? AND revision = ?`),
  };
}
