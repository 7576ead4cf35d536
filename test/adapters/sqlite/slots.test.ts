import { statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { expect, test } from "vitest";
import { openSqliteKeyStore } from "../../../src/adapters/sqlite/key-store.ts";
import { recordColumns, recordValues } from "../../../src/adapters/sqlite/row.ts";
import { migrations } from "../../../src/adapters/sqlite/schema.ts";
import { homeSlot } from "../../../src/adapters/sqlite/slots.ts";
import { prepareTerms } from "../../../src/adapters/sqlite/terms.ts";
import type { KeyRecord } from "../../../src/core/key.ts";
import type { ListQuery } from "../../../src/ports/key-store.ts";
import type { Log } from "../../../src/ports/log.ts";
import { keyRecord } from "../../support/key-record.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { withEvents } from "../../support/with-events.ts";

const openStore = async (path: string, maxKeys?: number, log?: Pick<Log, "info">) =>
  withEvents(await openSqliteKeyStore({ path, clock: () => 5000, maxKeys, log }));
type Store = Awaited<ReturnType<typeof openStore>>;

/** Ids of issued keys with one home. */
function idsWithOneHome(count: number): string[] {
  const idsOf = new Map<number, string[]>();
  for (let number = 0; ; number += 1) {
    const keyId = `01J0000000${number.toString().padStart(16, "0")}`;
    const ids = [...(idsOf.get(homeSlot("t", keyId)) ?? []), keyId];
    if (ids.length === count) return ids;
    idsOf.set(homeSlot("t", keyId), ids);
  }
}

test("homes are as files hold them, sort by the time of issued keys, and are integers that SQLite keeps exactly", () => {
  using folder = temporaryFolder();
  const database = new DatabaseSync(join(folder.path, "slots.db"));
  database.exec("CREATE TABLE slots (slot INTEGER PRIMARY KEY) STRICT");
  const homes = [
    homeSlot("t", "01J0000000ABCDEFGHJKMNPQRS"),
    homeSlot("another tenant", "01J0000001ABCDEFGHJKMNPQRS"),
    homeSlot("t", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"),
    homeSlot("t", "0f".repeat(32)),
    homeSlot("u", "0f".repeat(32)),
    homeSlot("", ""),
  ];
  for (const home of homes) database.prepare("INSERT INTO slots VALUES (?)").run(home);
  const stored = database.prepare("SELECT slot FROM slots WHERE slot = ?");
  expect(homes.map((home) => stored.get(home)?.slot)).toEqual(homes);
  database.close();
  // Not ULIDs: another first digit, another alphabet.
  for (const id of ["81J0000000ABCDEFGHJKMNPQRS", "01J0000000ABCDEFGHJKMNPQRU"]) expect(homeSlot("t", id)).not.toBe(homeSlot("u", id));
  expect((homes[1] as number) - (homes[0] as number)).toBeLessThan(2 * 4096);
  expect(homes).toMatchInlineSnapshot(`
    [
      281474976711462,
      281474976718772,
      2251799813683263,
      1194817620709991,
      1753137203651769,
      2000365379146488,
    ]
  `);
});

test("three keys with one home are three keys, for each operation", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "keys.db");
  const [first, second, third] = idsWithOneHome(3) as [string, string, string];
  const ofTenant = (keyId: string) => keyRecord({ keyId, actorId: "actor", scopes: ["read"], name: keyId });
  let store = await openStore(path);
  for (const keyId of [third, first, second]) expect((await store.insert("t", ofTenant(keyId), null)).outcome).toBe("inserted");
  for (const keyId of [first, second, third]) expect((await store.insert("t", ofTenant(keyId), null)).outcome).toBe("key_id_used");
  expect((await store.insert("u", ofTenant(first), null)).outcome).toBe("inserted");

  const idsOf = async (query: Partial<ListQuery>, tenant = "t") =>
    (await store.list(tenant, { kind: "issued", nowMs: 0, limit: 10, ...query })).map(({ keyId }) => keyId);
  const queries = [{}, { actorId: "actor" }, { scopes: ["read"] }, { actorId: "actor", scopes: ["read"] }];
  for (const query of queries) expect(await idsOf(query)).toEqual([first, second, third]);
  for (const query of queries) expect(await idsOf(query, "u")).toEqual([first]);

  await store.touch(
    "t",
    [first, second, third].map((keyId, index) => ({ keyId, lastUsedTimeMs: 1000 + index })),
  );
  const revocation = { reason: "superseded", description: "" } as const;
  expect(await store.replace("t", { ...ofTenant(second), revision: 2, revocation })).toBe(true);
  expect(await store.delete("t", "issued", third)).toBe(2);
  store = await reopened(store, path);
  expect(await store.get("t", first)).toMatchObject({ revision: 1, lastUsedTimeMs: 1000, revocation: null });
  expect(await store.get("t", second)).toMatchObject({ revision: 2, lastUsedTimeMs: 1001, revocation });
  expect(await store.get("t", third)).toBeNull();
  for (const query of queries) expect(await idsOf(query)).toEqual([first, second]);
  expect((await store.insert("t", ofTenant(second), null)).outcome).toBe("key_id_used");

  // The home is free now. A key that is away stays there.
  expect(await store.insert("t", ofTenant(third), null)).toMatchObject({ outcome: "inserted", record: { revision: 3 } });
  expect(await idsOf({})).toEqual([first, second, third]);
  expect(await store.delete("t", "issued", second)).toBe(3);
  expect(await idsOf({ scopes: ["read"] })).toEqual([first, third]);
  expect(await store.get("u", first)).not.toBeNull();
  await store.close();
});

test("a term that is left over in a damaged file does not list another key that has the home of its key", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "keys.db");
  const [first, second] = idsWithOneHome(2) as [string, string];
  let store = await openStore(path);
  await store.insert("t", keyRecord({ keyId: first, scopes: ["read"] }), null);
  await store.close();
  const file = new DatabaseSync(path);
  file.prepare("INSERT INTO key_terms SELECT tenant, kind, term, ? FROM key_terms").run(second);
  file.close();
  store = await openStore(path);
  expect((await store.list("t", { kind: "issued", nowMs: 0, limit: 10, scopes: ["read"] })).map(({ keyId }) => keyId)).toEqual([first]);
  await store.close();
});

async function reopened(store: Store, path: string): Promise<Store> {
  await store.close();
  return openStore(path);
}

test("keys of a file without slots are all found after the migration, and count", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "keys.db");
  const records = [
    ...idsWithOneHome(3).toReversed(),
    ...Array.from({ length: 40 }, (_, index) => `01J00000${10 + ((index * 7) % 40)}0123456789ABCDEF`),
  ].map(oldRecord);
  writeWithoutSlots(path, records);

  const quota = records.filter(({ revocation }) => revocation === null).length;
  const lines: unknown[] = [];
  const store = await openStore(path, quota, { info: (...line) => lines.push(line) });
  expect(lines).toEqual([[{ file: path }, expect.stringContaining("updating the file of an older version")]]);
  expect(statSync(`${path}-wal`).size).toBe(0);
  const sorted = records.toSorted((a, b) => (a.keyId < b.keyId ? -1 : 1));
  for (const record of records) expect(await store.get("t", record.keyId)).toEqual(record);
  const listed = (query: Partial<ListQuery>) => store.list("t", { kind: "issued", nowMs: 500, limit: 100, ...query });
  expect(await listed({})).toEqual(sorted);
  for (const actorId of ["actor-0", "actor-1", "actor-2"]) {
    expect(await listed({ actorId })).toEqual(sorted.filter((record) => record.actorId === actorId));
  }
  expect(await listed({ status: "revoked" })).toEqual(sorted.filter(({ revocation }) => revocation !== null));
  expect(await listed({ scopes: ["read"] })).toEqual(sorted.filter(({ scopes }) => scopes.includes("read")));
  expect(await listed({ metadata: [["team", "blue"]] })).toEqual(sorted.filter(({ metadata }) => metadata !== null));
  expect(await listed({ order: { by: "createTime", isDescending: true } })).toEqual(
    sorted.toSorted((a, b) => b.createTimeMs - a.createTimeMs),
  );
  expect((await store.insert("t", keyRecord({ keyId: "NEW" }), null)).outcome).toBe("quota_exhausted");
  expect((await store.insert("t", records[0] as KeyRecord, null)).outcome).toBe("key_id_used");
  await store.close();
});

function oldRecord(keyId: string, index: number): KeyRecord {
  return keyRecord({
    keyId,
    actorId: `actor-${index % 3}`,
    scopes: index % 2 === 0 ? ["read", "write"] : ["write"],
    metadata: index % 5 === 0 ? { team: "blue" } : null,
    revocation: index % 7 === 2 ? { reason: "superseded", description: "" } : null,
    createTimeMs: 100 + index,
  });
}

/** Writes a file as the version before slots did. */
function writeWithoutSlots(path: string, records: readonly KeyRecord[]): void {
  const versions = 10;
  const old = new DatabaseSync(path);
  for (const step of migrations.slice(0, versions)) old.exec(step);
  const known = new Set(
    old
      .prepare("PRAGMA table_info(keys)")
      .all()
      .map(({ name }) => name),
  );
  // Columns of later versions were not there yet.
  const indexes = recordColumns.flatMap((column, index) => (known.has(column) ? [index] : []));
  const columns = [...indexes.map((index) => recordColumns[index]), "tenant", "first_revision"];
  const insert = old.prepare(`INSERT INTO keys (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`);
  const addTerms = prepareTerms(old);
  for (const record of records) {
    const values = recordValues(record);
    insert.run(...indexes.map((index) => values[index] as SQLInputValue), "t", record.firstRevision);
    addTerms("t", record);
  }
  old.exec(`PRAGMA user_version = ${versions}`);
  old.close();
}
