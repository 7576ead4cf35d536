import type { DatabaseSync } from "node:sqlite";
import type { KeyRecord } from "../../core/key.ts";
import type { Clock } from "../../ports/clock.ts";
import type { InsertOutcome, LastUse, RequestMark } from "../../ports/key-store.ts";
import { recordColumns, recordOfRow, recordSelection, recordValues } from "./row.ts";

/** What the key store does to one key. Each changing function wants a transaction of its own around it, and is undone where it throws. */
export interface Keys {
  get(tenant: string, keyId: string): KeyRecord | null;
  insert(tenant: string, record: KeyRecord, request: RequestMark | null): InsertOutcome;
  replace(tenant: string, record: KeyRecord): boolean;
  rotate(tenant: string, retired: KeyRecord, successor: KeyRecord): boolean;
  touch(tenant: string, uses: readonly LastUse[]): void;
}

export function prepareKeys(database: DatabaseSync, clock: Clock): Keys {
  const replacedColumns = recordColumns.slice(0, -1);
  const placeholders = recordColumns.map(() => "?").join(", ");
  const selectKey = database.prepare(`SELECT ${recordSelection} FROM keys WHERE tenant = ? AND key_id = ?`);
  const insertKey = database.prepare(
    `INSERT INTO keys (${recordColumns.join(", ")}, tenant) VALUES (${placeholders}, ?) ON CONFLICT DO NOTHING`,
  );
  const replaceKey = database.prepare(
    `UPDATE keys SET ${replacedColumns.map((column) => `${column} = ?`).join(", ")} WHERE tenant = ? AND key_id = ? AND revision = ?`,
  );
  const touchKey = database.prepare(
    `UPDATE keys SET last_used_time_ms = $lastUsedTimeMs
     WHERE tenant = $tenant AND key_id = $keyId AND (last_used_time_ms IS NULL OR last_used_time_ms < $lastUsedTimeMs)`,
  );
  const selectMark = database.prepare("SELECT payload_digest, key_id FROM request_marks WHERE tenant = ? AND kind = ? AND request_id = ?");
  const insertMark = database.prepare(
    "INSERT INTO request_marks (tenant, kind, request_id, payload_digest, key_id, create_time_ms) VALUES (?, ?, ?, ?, ?, ?)",
  );

  function get(tenant: string, keyId: string): KeyRecord | null {
    const row = selectKey.get(tenant, keyId);
    return row === undefined ? null : recordOfRow(row);
  }

  function add(tenant: string, record: KeyRecord): boolean {
    return insertKey.run(...recordValues(record), tenant).changes === 1;
  }

  function replace(tenant: string, record: KeyRecord): boolean {
    return replaceKey.run(...recordValues(record).slice(0, -1), tenant, record.keyId, record.revision - 1).changes === 1;
  }

  return {
    get,
    replace,

    insert(tenant, record, request) {
      if (request === null) return { outcome: add(tenant, record) ? "inserted" : "key_id_used" };
      const mark = selectMark.get(tenant, record.kind, request.requestId) as { payload_digest: string; key_id: string } | undefined;
      if (mark !== undefined) {
        return { outcome: "request_id_used", payloadDigest: mark.payload_digest, record: get(tenant, mark.key_id) };
      }
      if (!add(tenant, record)) return { outcome: "key_id_used" };
      insertMark.run(tenant, record.kind, request.requestId, request.payloadDigest, record.keyId, clock());
      return { outcome: "inserted" };
    },

    rotate(tenant, retired, successor) {
      if (get(tenant, successor.keyId) !== null || !replace(tenant, retired)) return false;
      return add(tenant, successor);
    },

    touch(tenant, uses) {
      for (const use of uses) touchKey.run({ tenant, keyId: use.keyId, lastUsedTimeMs: use.lastUsedTimeMs });
    },
  };
}
