import type { DatabaseSync } from "node:sqlite";
import { judgeSecret } from "../../core/secret-marks.ts";
import type { SecretAcceptance } from "../../ports/key-store.ts";

const name = "secret_marks";

/** `acceptSecret` of the port. Call it in a transaction. */
export function prepareSecretMarks(database: DatabaseSync): (current: string, retired: readonly string[]) => SecretAcceptance {
  const select = database.prepare("SELECT value FROM store WHERE name = ?");
  const anyKey = database.prepare("SELECT 1 FROM keys WHERE kind IN ('issued', 'imported') LIMIT 1");
  const upsert = database.prepare("INSERT INTO store (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value");
  const write = (marks: readonly string[]) => upsert.run(name, Buffer.from(JSON.stringify(marks)));
  return (current, retired) => {
    const row = select.get(name) as { value: Uint8Array } | undefined;
    const marks: string[] = row === undefined ? [] : JSON.parse(Buffer.from(row.value).toString());
    const known = judgeSecret(marks, current, retired);
    if (known !== null) {
      if (marks.at(-1) !== current) write([...marks.filter((mark) => mark !== current), current]);
      return known;
    }
    const hasKeys = anyKey.get() !== undefined;
    if (row !== undefined && hasKeys) return "refused";
    write([...retired, current]);
    if (row !== undefined) return "replaced";
    return hasKeys ? "added" : "accepted";
  };
}
