import type { DatabaseSync } from "node:sqlite";
import { judgeSecrets, type SecretAcceptance, type SecretMarks } from "../../core/secret-marks.ts";

const name = "secret_marks";

/** `acceptSecrets` of the port. Call it in a transaction. */
export function prepareSecretMarks(database: DatabaseSync): (secrets: SecretMarks) => SecretAcceptance {
  const select = database.prepare("SELECT value FROM store WHERE name = ?");
  const anyKey = database.prepare("SELECT 1 FROM keys WHERE kind IN ('issued', 'imported') LIMIT 1");
  const upsert = database.prepare("INSERT INTO store (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value");
  return (secrets) => {
    const row = select.get(name) as { value: Uint8Array } | undefined;
    const known: string[] | null = row === undefined ? null : JSON.parse(Buffer.from(row.value).toString());
    const { acceptance, marks } = judgeSecrets(known, secrets, anyKey.get() !== undefined);
    if (marks.join() !== known?.join()) upsert.run(name, Buffer.from(JSON.stringify(marks)));
    return acceptance;
  };
}
