import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from "node:sqlite";
import type { KeyRecord } from "../../core/key.ts";
import type { KeyCounts } from "./key-counts.ts";
import { prepareRowArrays, recordColumns, recordSelection, recordValues } from "./row.ts";
import { isInSlot, type Slots } from "./slots.ts";

/** Where the columns that a replacement may change are. A key's use is written on its own (`touch`). */
const replacedIndexes = recordColumns.flatMap((column, index) => (column === "last_used_time_ms" ? [] : [index]));
const reasonIndex = recordColumns.indexOf("revocation_reason");

/** Maximum statements that are kept prepared: one for each set of columns that changed together. */
const maxStatements = 64;

/**
 * Returns a function that writes a record over that of the previous revision, in a transaction. It returns false if there is none.
 *
 * It sets only the columns that change. If a statement sets a column, SQLite writes all indexes that hold it, even if the value is the
 * same, and each is another page. For a trigger on the column it also copies every page before it writes it.
 */
export function prepareReplace(database: DatabaseSync, slots: Slots, counts: KeyCounts): (tenant: string, record: KeyRecord) => boolean {
  const selectBefore = prepareRowArrays(database, `SELECT ${recordSelection}, placeless FROM keys WHERE ${isInSlot} AND revision = ?`);
  const updateOf = prepareUpdates(database);

  return (tenant, record) => {
    const slot = slots.of(tenant, record.keyId);
    const before = selectBefore.get(slot, tenant, record.keyId, record.revision - 1) as unknown as SQLOutputValue[] | undefined;
    if (before === undefined) return false;
    const values = recordValues(record);
    const changed = replacedIndexes.filter((index) => !isSame(before[index], values[index]));
    updateOf(changed).run(...changed.map((index) => values[index] as SQLInputValue), slot);
    counts.replaced(tenant, { revocationReason: before[reasonIndex] as string | null, placeless: before.at(-1) as number }, record);
    return true;
  };
}

/** Quotas are read as text. */
function isSame(before: SQLOutputValue | undefined, value: SQLInputValue | undefined): boolean {
  return before === (typeof value === "bigint" ? String(value) : value);
}

/** The revision always changes, so there is a column to set. */
function prepareUpdates(database: DatabaseSync): (changed: readonly number[]) => StatementSync {
  const statements = new Map<string, StatementSync>();
  return (changed) => {
    const assignments = changed.map((index) => `${recordColumns[index]} = ?`).join(", ");
    const known = statements.get(assignments);
    if (known !== undefined) return known;
    if (statements.size === maxStatements) statements.clear();
    const statement = database.prepare(`UPDATE keys SET ${assignments} WHERE slot = ?`);
    statements.set(assignments, statement);
    return statement;
  };
}
