import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import type { KeyRecord } from "../../core/key.ts";
import type { InsertOutcome } from "../../ports/key-store.ts";
import type { KeyCounts } from "./key-counts.ts";
import { prepareReplace } from "./replace.ts";
import { prepareRowArrays, recordColumns, recordOfRow, recordSelection, recordValues } from "./row.ts";
import { homeSlot, isAway, isInSlot, type Slots } from "./slots.ts";
import { prepareTerms } from "./terms.ts";
import type { Tombstones } from "./tombstones.ts";

/** Records as rows of the table of keys. Call `add` and `replace` in a transaction. */
export interface Rows {
  get(tenant: string, keyId: string): KeyRecord | null;
  /** Returns the key with this id, unless it was deleted after it began with this revision. */
  keyOf(tenant: string, keyId: string, firstRevision: number): KeyRecord | null;
  isUsed(tenant: string, keyId: string): boolean;
  /** Whether a key was deleted that had this id and batch mark. */
  isBatchOfDeleted(tenant: string, keyId: string, batchMark: string | null): boolean;
  /** Returns the record as it was stored, or null if its id is used, or if the same batch added a key with it that was deleted. */
  add(tenant: string, given: KeyRecord, batchMark?: string | null): KeyRecord | null;
  /** Returns false if there is no record of the previous revision. */
  replace(tenant: string, record: KeyRecord): boolean;
  /** The outcome for an insert for which `add` returned null. */
  usedBy(tenant: string, keyId: string, batchMark: string | null | undefined): InsertOutcome;
}

export function prepareRows(database: DatabaseSync, slots: Slots, tombstones: Tombstones, counts: KeyCounts): Rows {
  const { selectKey, selectKeyAway, selectFirstRevision, selectBatchMark, insertKey } = prepareStatements(database);
  const replace = prepareReplace(database, slots, counts);
  const addTerms = prepareTerms(database);

  function get(tenant: string, keyId: string): KeyRecord | null {
    const row = selectKey.get(homeSlot(tenant, keyId), tenant, keyId) ?? selectKeyAway.get(tenant, keyId);
    return row === undefined ? null : recordOfRow(row);
  }

  function firstRevisionOf(tenant: string, keyId: string): number | null {
    const row = selectFirstRevision.get(slots.of(tenant, keyId), tenant, keyId) as { first_revision: number } | undefined;
    return row?.first_revision ?? null;
  }

  function isBatchOfDeleted(tenant: string, keyId: string, batchMark: string | null): boolean {
    return batchMark !== null && tombstones.batchMarkOf(tenant, keyId) === batchMark;
  }

  /** Returns false if the key's id is used. */
  function insert(values: SQLInputValue[], tenant: string, keyId: string): boolean {
    const slot = slots.of(tenant, keyId);
    if (insertKey.run(slot, ...values).changes === 1) return true;
    return firstRevisionOf(tenant, keyId) === null && insertKey.run(slots.nextAway(), ...values).changes === 1;
  }

  return {
    get,
    keyOf(tenant, keyId, firstRevision) {
      return firstRevisionOf(tenant, keyId) === firstRevision ? get(tenant, keyId) : null;
    },
    isUsed: (tenant, keyId) => firstRevisionOf(tenant, keyId) !== null,
    isBatchOfDeleted,
    add(tenant, given, batchMark = null) {
      const revisionAbove = tombstones.revisionAbove(tenant, given.keyId);
      if (revisionAbove > 0 && isBatchOfDeleted(tenant, given.keyId, batchMark)) return null;
      const revision = Math.max(given.revision, revisionAbove);
      const record = { ...given, revision, firstRevision: revision };
      if (!insert([...recordValues(record), tenant, revision, batchMark], tenant, record.keyId)) return null;
      counts.added(tenant, record);
      addTerms(tenant, record);
      if (revisionAbove > 0) tombstones.remove(tenant, record.keyId);
      return record;
    },
    replace,
    usedBy(tenant, keyId, batchMark = null) {
      const isRepeated =
        batchMark !== null &&
        (selectBatchMark.get(slots.of(tenant, keyId), tenant, keyId)?.batch_mark === batchMark ||
          isBatchOfDeleted(tenant, keyId, batchMark));
      return isRepeated ? { outcome: "batch_repeated", record: get(tenant, keyId) } : { outcome: "key_id_used" };
    },
  };
}

function prepareStatements(database: DatabaseSync) {
  const columns = ["slot", ...recordColumns, "tenant", "first_revision", "batch_mark"];
  return {
    selectKey: prepareRowArrays(database, `SELECT ${recordSelection} FROM keys WHERE ${isInSlot}`),
    selectKeyAway: prepareRowArrays(database, `SELECT ${recordSelection} FROM keys INDEXED BY keys_away WHERE ${isAway}`),
    selectFirstRevision: database.prepare(`SELECT first_revision FROM keys WHERE ${isInSlot}`),
    selectBatchMark: database.prepare(`SELECT batch_mark FROM keys WHERE ${isInSlot}`),
    insertKey: database.prepare(
      `INSERT INTO keys (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")}) ON CONFLICT DO NOTHING`,
    ),
  };
}
