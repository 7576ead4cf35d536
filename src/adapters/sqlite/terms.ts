import type { DatabaseSync } from "node:sqlite";
import type { KeyRecord } from "../../core/key.ts";
import { termsOf } from "../../core/key-terms.ts";
import { memoized } from "../../memoized.ts";

/** Maximum rows per statement. More terms need several statements. */
const maxRows = 8;

/**
 * Adds the terms of a new key. Triggers handle its changes and its deletion. Call it in the transaction that adds the key, and undo that if
 * it throws: with OR FAIL, SQLite keeps no copies of pages to undo the statement alone.
 */
export function prepareTerms(database: DatabaseSync): (tenant: string, record: KeyRecord) => void {
  const insertOf = memoized((rowCount: number) => {
    const rows = Array.from({ length: rowCount }, () => "(?, ?, ?, ?)");
    return database.prepare(`INSERT OR FAIL INTO key_terms (tenant, kind, key_id, term) VALUES ${rows.join(", ")}`);
  });

  return (tenant, record) => {
    const { kind, keyId } = record;
    const terms = termsOf(record);
    for (let start = 0; start < terms.length; start += maxRows) {
      const some = terms.slice(start, start + maxRows);
      insertOf(some.length).run(...some.flatMap((term) => [tenant, kind, keyId, term]));
    }
  };
}
