import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { openSqliteKeyStore } from "../../../src/adapters/sqlite/key-store.ts";
import type { KeyRecord } from "../../../src/core/key.ts";
import { attributeFields } from "../../../src/core/key-fields.ts";
import { termsOf } from "../../../src/core/key-terms.ts";
import { fullRecord, keyRecord } from "../../support/key-record.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { type StoreWithEvents, withEvents } from "../../support/with-events.ts";

const names = Object.keys(attributeFields) as (keyof typeof attributeFields)[];

// Triggers write the terms of keys that change, so a field from which `termsOf` takes terms must be in the triggers too.
test.each(names)("terms follow the changes of a key that has nothing but %s", async (name) => {
  using folder = temporaryFolder();
  const path = join(folder.path, "keys.db");
  const empty = keyRecord({ keyId: "a".repeat(64), kind: "imported" });
  const full: KeyRecord = { ...empty, [name]: fullRecord[name] };

  expect(await termsAfter(path, (store) => store.insert("t", full, null))).toEqual(termsOf(full).sort());
  expect(await termsAfter(path, (store) => store.replace("t", { ...empty, revision: 2 }))).toEqual([]);
  expect(await termsAfter(path, (store) => store.replace("t", { ...full, revision: 3 }))).toEqual(termsOf(full).sort());
  expect(await termsAfter(path, (store) => store.delete("t", "imported", empty.keyId))).toEqual([]);
});

/** The store locks its file, so it is closed before the terms are read. */
async function termsAfter(path: string, change: (store: StoreWithEvents) => Promise<unknown>): Promise<unknown[]> {
  const store = withEvents(await openSqliteKeyStore({ path, clock: () => 0 }));
  await change(store);
  await store.close();
  const database = new DatabaseSync(path, { readOnly: true });
  const rows = database.prepare("SELECT term FROM key_terms ORDER BY term").all();
  database.close();
  return rows.map(({ term }) => term);
}
