import type { DatabaseSync } from "node:sqlite";

/** The tombstones of deleted keys. Call each function in a transaction. */
export interface Tombstones {
  /** Returns the lowest revision for a new key with this id; 0 if there is no tombstone. */
  revisionAbove(tenant: string, keyId: string): number;
  /** Returns null if there is no tombstone. */
  revisionOf(tenant: string, keyId: string): number | null;
  /** The batch mark of the deleted key; null if it had none, or if there is no tombstone. */
  batchMarkOf(tenant: string, keyId: string): string | null;
  leave(tenant: string, keyId: string, revision: number, batchMark: string | null): void;
  remove(tenant: string, keyId: string): void;
}

export function prepareTombstones(database: DatabaseSync): Tombstones {
  const selectTombstone = database.prepare("SELECT revision FROM tombstones WHERE tenant = ? AND key_id = ?");
  const selectBatchMark = database.prepare("SELECT batch_mark FROM tombstones WHERE tenant = ? AND key_id = ?");
  const insertTombstone = database.prepare("INSERT INTO tombstones (tenant, key_id, revision, batch_mark) VALUES (?, ?, ?, ?)");
  const deleteTombstone = database.prepare("DELETE FROM tombstones WHERE tenant = ? AND key_id = ?");
  const revisionOf = (tenant: string, keyId: string) =>
    (selectTombstone.get(tenant, keyId) as { revision: number } | undefined)?.revision ?? null;
  return {
    revisionOf,
    revisionAbove(tenant, keyId) {
      const revision = revisionOf(tenant, keyId);
      return revision === null ? 0 : revision + 1;
    },
    batchMarkOf: (tenant, keyId) => (selectBatchMark.get(tenant, keyId) as { batch_mark: string | null } | undefined)?.batch_mark ?? null,
    leave: (tenant, keyId, revision, batchMark) => void insertTombstone.run(tenant, keyId, revision, batchMark),
    remove: (tenant, keyId) => void deleteTombstone.run(tenant, keyId),
  };
}
