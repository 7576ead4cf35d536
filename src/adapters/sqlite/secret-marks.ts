import type { DatabaseSync } from "node:sqlite";

const name = "secret_marks";

/** `acceptSecret` of the port. Call it in a transaction. */
export function prepareSecretMarks(database: DatabaseSync): (current: string, retired: readonly string[]) => boolean {
  const select = database.prepare("SELECT value FROM store WHERE name = ?");
  const upsert = database.prepare("INSERT INTO store (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value");
  return (current, retired) => {
    const row = select.get(name) as { value: Uint8Array } | undefined;
    const marks: string[] = row === undefined ? [] : JSON.parse(Buffer.from(row.value).toString());
    if (marks.includes(current)) return true;
    if (row !== undefined && !retired.some((mark) => marks.includes(mark))) return false;
    upsert.run(name, Buffer.from(JSON.stringify([...marks, current])));
    return true;
  };
}
