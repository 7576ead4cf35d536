import { statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openSqliteKeyStore } from "../../../src/adapters/sqlite/key-store.ts";
import { keyRecord } from "../../support/key-record.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { withEvents } from "../../support/with-events.ts";

const tenant = "default";
const keyIdOf = (index: number) => `K${String(index).padStart(4, "0")}`;
/** A page of the log, with its header. */
const frameBytes = 4096 + 24;

test("a change writes the pages of the indexes that it changes, and of no others", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "keys.db");
  const open = async () => withEvents(await openSqliteKeyStore({ path, clock: () => 0 }));
  const items = Array.from({ length: 500 }, (_, index) => ({
    record: keyRecord({ keyId: keyIdOf(index), name: `name ${index}` }),
    request: null,
  }));
  const filling = await open();
  await filling.insertMany(tenant, items);
  await filling.close();

  /** Opens the store anew for each, so that its log is empty before. */
  async function pagesOf(changes: Partial<ReturnType<typeof keyRecord>>): Promise<number> {
    await using store = Object.assign(await open(), { [Symbol.asyncDispose]: () => store.close() });
    const before = await store.get(tenant, keyIdOf(250));
    const record = { ...(before ?? keyRecord()), ...changes, revision: (before?.revision ?? 0) + 1 };
    expect(await store.replace(tenant, record)).toBe(true);
    const bytes = statSync(`${path}-wal`).size;
    expect(await store.get(tenant, record.keyId)).toEqual(record);
    return Math.floor(bytes / frameBytes);
  }

  // The row, the event and its indexes; with all indexes of keys 14.
  expect(await pagesOf({ allowedCidrs: ["192.0.2.0/24"], updateTimeMs: 1 })).toBeLessThanOrEqual(8);
  expect(await pagesOf({ name: "another", updateTimeMs: 2 })).toBeLessThanOrEqual(10);
  expect(await pagesOf({ disabled: true })).toBeGreaterThan(12);
});
