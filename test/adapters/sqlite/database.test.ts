import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openStore as openConfiguredStore } from "../../../src/adapters/open.ts";
import { prepareCacheSize } from "../../../src/adapters/sqlite/cache-size.ts";
import { openDatabase } from "../../../src/adapters/sqlite/database.ts";
import { openSqliteKeyStore } from "../../../src/adapters/sqlite/key-store.ts";
import { noTenantLimits } from "../../../src/ports/key-store.ts";
import { keyRecord } from "../../support/key-record.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { withEvents } from "../../support/with-events.ts";

const openStore = async (path: string) => withEvents(await openSqliteKeyStore({ path, clock: Date.now }));

test("the error of a store that cannot be opened names the setting", async () => {
  using folder = temporaryFolder();
  const options = {
    clock: Date.now,
    monotonicMs: Date.now,
    auditRetentionMs: 1,
    maxKeys: null,
    sqliteCacheMib: 1,
    log: { info: () => {} },
  };
  const open = (path: string) => openConfiguredStore({ kind: "sqlite", path }, { ...options, tenantLimits: noTenantLimits });
  await expect(open(folder.path)).rejects.toThrow(`KEYWRIGHT_STORE: ${folder.path}: cannot be used as the key store: EISDIR`);
  writeFileSync(join(folder.path, "file"), "");
  await expect(open(join(folder.path, "file", "keys.db"))).rejects.toThrow(/^KEYWRIGHT_STORE: .*\/file: cannot be created: .*EEXIST/);
});

test("a second process on the file fails at open, with an error that names the file and the reason", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "keys.db");
  const store = await openStore(path);
  const script = fileURLToPath(new URL("../../support/store-process.ts", import.meta.url));
  const second = spawnSync(process.execPath, [script, path, "second"], { encoding: "utf8" });
  expect(second.status).toBe(1);
  expect(second.stderr).toContain(`${path}: another Keywright process is using this database`);
  await expect(openStore(path)).rejects.toThrow(`${path}: another Keywright process is using this database`);
  // The first process is unaffected.
  expect((await store.insert("t", keyRecord(), null)).outcome).toBe("inserted");
  await store.close();
  await (await openStore(path)).close();
});

test.skipIf(process.platform === "win32")("only the owner can access the database and its log, also if the file is new", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "keys.db");
  for (const round of ["new", "old"]) {
    if (round === "old") chmodSync(path, 0o644);
    const store = await openStore(path);
    await store.insert("t", keyRecord({ keyId: round }), null);
    const files = readdirSync(folder.path);
    expect(files).toContain("keys.db-wal");
    for (const file of files) expect(statSync(join(folder.path, file)).mode & 0o777, file).toBe(0o600);
    await store.close();
  }
});

test.skipIf(process.platform !== "linux")("the file is mapped, also after it grew", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "keys.db");
  const mappedBytes = () =>
    readFileSync("/proc/self/maps", "utf8")
      .split("\n")
      .filter((line) => line.endsWith(path))
      .reduce((sum, line) => sum + line.split(/[- ]/, 2).reduce((from, end) => Number.parseInt(end, 16) - from, 0), 0);
  for (const round of [1, 2]) {
    const store = await openStore(path);
    const items = Array.from({ length: 500 }, (_, index) => ({ record: keyRecord({ keyId: `K${round}x${index}` }), request: null }));
    await store.insertMany("t", items);
    await store.close();
    const again = await openStore(path);
    expect(await again.get("t", `K${round}x499`)).not.toBeNull();
    expect(mappedBytes()).toBe(statSync(path).size);
    await again.close();
  }
  expect(mappedBytes()).toBe(0);
});

test("the room for pages is that of the setting", () => {
  using folder = temporaryFolder();
  const cacheSizes = [undefined, 100].map((cacheMib) => {
    const database = openDatabase(join(folder.path, "keys.db"), cacheMib);
    const size = database.prepare("PRAGMA cache_size").get();
    database.close();
    return size;
  });
  expect(cacheSizes).toEqual([{ cache_size: -64 * 1024 }, { cache_size: -100 * 1024 }]);
});

test.each([
  [64, -16 * 1024],
  [8, -8 * 1024],
])("of %d MiB for pages a small file uses at most 16, and all once it has grown", (cacheMib, small) => {
  using folder = temporaryFolder();
  const database = openDatabase(join(folder.path, "keys.db"), cacheMib);
  const { page_count } = database.prepare("PRAGMA page_count").get() as { page_count: number };
  const resize = prepareCacheSize(database, page_count + 1);
  const sizes = [];
  for (const text of ["", "x".repeat(100_000)]) {
    database.prepare("INSERT OR REPLACE INTO store (name, value) VALUES ('large', ?)").run(Buffer.from(text));
    resize();
    sizes.push(database.prepare("PRAGMA cache_size").get());
  }
  database.close();
  expect(sizes).toEqual([{ cache_size: small }, { cache_size: -cacheMib * 1024 }]);
});

test("a file with a newer schema is refused and left unchanged", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "keys.db");
  await (await openStore(path)).close();
  const database = new DatabaseSync(path);
  database.exec("PRAGMA user_version = 1000");
  database.close();
  await expect(openStore(path)).rejects.toThrow(/keys\.db: .*schema version 1000.*newer version/);
  await expect(openStore(path)).rejects.toThrow(/schema version 1000/);
});

test("a file that is not a database, or has no folder, is refused with an error that names it", async () => {
  using folder = temporaryFolder();
  const text = join(folder.path, "text.db");
  writeFileSync(text, "this is not a database, but long enough to be looked at".repeat(100));
  await expect(openStore(text)).rejects.toThrow(`${text}: cannot be used as the key store: file is not a database`);
  const nowhere = join(folder.path, "nowhere", "keys.db");
  await expect(openStore(nowhere)).rejects.toThrow(`${nowhere}: cannot be used as the key store: ENOENT`);
});

test("names with a meaning for SQLite are plain files", async () => {
  using folder = temporaryFolder();
  for (const name of [":memory:", "file:keys.db?mode=memory"]) {
    const store = await openStore(join(folder.path, name));
    await store.close();
    expect(readdirSync(folder.path)).toContain(name);
  }
});

/** SQLite's default. */
const pageBytes = 4096;

test("a damaged file: reads and writes reject with STORE_UNAVAILABLE and the cause, never with SQLite's own error", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "keys.db");
  const store = await openStore(path);
  const ids = Array.from({ length: 500 }, (_, index) => `K${String(index).padStart(3, "0")}`);
  const metadata = { padding: "x".repeat(2000) };
  await store.insertMany(
    "t",
    ids.map((keyId) => ({ record: keyRecord({ keyId, metadata }), request: null })),
  );
  await store.close();
  const bytes = readFileSync(path);
  for (let start = 0; start < bytes.length; start += pageBytes) {
    const page = bytes.subarray(start, start + pageBytes);
    if (page.includes("xxxxxxxx")) page.fill(0xff);
  }
  writeFileSync(path, bytes);

  const damaged = await openStore(path);
  const unavailable = { name: "Failure", reason: "STORE_UNAVAILABLE", cause: { code: "ERR_SQLITE_ERROR" } };
  await expect(damaged.get("t", "K250")).rejects.toMatchObject(unavailable);
  await expect(damaged.list("t", { kind: "issued", nowMs: 0, limit: 500 })).rejects.toMatchObject(unavailable);
  await expect(damaged.replace("t", keyRecord({ keyId: "K250", revision: 2 }))).rejects.toMatchObject(unavailable);
  await damaged.close();
});

test("if the database is a symbolic link, a lost log is noticed beside the file that it stands for", async () => {
  using folder = temporaryFolder();
  mkdirSync(join(folder.path, "volume"));
  const [link, file] = [join(folder.path, "keys.db"), join(folder.path, "volume", "real.db")];
  writeFileSync(file, "");
  symlinkSync(file, link);
  const store = await openStore(link);
  await store.insert("t", keyRecord({ keyId: "A" }), null);
  renameSync(`${file}-wal`, `${file}-wal.kept`);
  await expect(store.insert("t", keyRecord({ keyId: "B" }), null)).rejects.toMatchObject({ reason: "STORE_UNAVAILABLE" });
  await store.close();
});

test("if the system refuses to look at the file, the store is unavailable", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "keys.db");
  const store = await openStore(path);
  renameSync(path, `${path}.kept`);
  symlinkSync(path, path);
  const unavailable = { reason: "STORE_UNAVAILABLE", cause: { message: `${path}: ELOOP` } };
  await expect(store.insert("t", keyRecord({ keyId: "A" }), null)).rejects.toMatchObject(unavailable);
  await expect(store.ping()).rejects.toMatchObject(unavailable);
  await store.close();
});

test.each(["keys.db", "keys.db-wal"])(
  "if %s was removed or replaced, nothing is acknowledged that a restart would not find",
  async (name) => {
    using folder = temporaryFolder();
    const path = join(folder.path, "keys.db");
    const store = await openStore(path);
    const file = join(folder.path, name);
    const message = `${file}: was removed or replaced; put it back, or restore a backup before a restart`;
    const unavailable = { reason: "STORE_UNAVAILABLE", cause: { message } };
    await store.insert("t", keyRecord({ keyId: "A" }), null);
    await store.ping();
    renameSync(file, `${file}.kept`);
    await expect(store.insert("t", keyRecord({ keyId: "B" }), null)).rejects.toMatchObject(unavailable);
    writeFileSync(file, "");
    await expect(store.replace("t", keyRecord({ keyId: "A", revision: 2 }))).rejects.toMatchObject(unavailable);
    await expect(store.ping()).rejects.toMatchObject(unavailable);
    renameSync(`${file}.kept`, file);
    await store.insert("t", keyRecord({ keyId: "C" }), null);
    await store.ping();
    await store.close();
    const again = await openStore(path);
    expect(await Promise.all(["A", "B", "C"].map(async (keyId) => (await again.get("t", keyId))?.revision))).toEqual([1, undefined, 1]);
    await again.close();
  },
);
