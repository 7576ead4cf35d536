import { join } from "node:path";
import { expect, test } from "vitest";
import { prepareCheckpoint } from "../../../src/adapters/sqlite/checkpoint.ts";
import { openDatabase } from "../../../src/adapters/sqlite/database.ts";
import { alone, createGroupCommit } from "../../../src/adapters/sqlite/group-commit.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

function setup() {
  const folder = temporaryFolder();
  const database = openDatabase(join(folder.path, "keys.db"));
  const insert = database.prepare("INSERT INTO tombstones (tenant, key_id, revision) VALUES ('t', ?, 1)");
  return {
    database,
    groupCommit: createGroupCommit(database),
    insert: (id: string) => insert.run(id).changes,
    ids: () =>
      database
        .prepare("SELECT key_id FROM tombstones ORDER BY key_id")
        .all()
        .map((row) => row.key_id),
    [Symbol.dispose]() {
      database.close();
      folder.remove();
    },
  };
}

test("a write that throws is undone and rejects alone; the others in its group stay", async () => {
  using fixture = setup();
  const { groupCommit, insert, ids } = fixture;
  const outcomes = await Promise.allSettled([
    groupCommit.run(() => insert("a")),
    groupCommit.run(() => {
      insert("b");
      throw new Error("second thoughts");
    }),
    // The same id twice: SQLite refuses the second.
    groupCommit.run(() => [insert("c"), insert("a")]),
    groupCommit.run(() => insert("d")),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
  expect(ids()).toEqual(["a", "d"]);
});

test("a write that runs alone runs once, also among writes that throw", async () => {
  using fixture = setup();
  const { groupCommit, insert, ids } = fixture;
  let runs = 0;
  const fail = () => {
    throw new Error("second thoughts");
  };
  const once = () => {
    runs += 1;
    return insert("a");
  };
  const writes = [groupCommit.run(fail), groupCommit.run(once, alone), groupCommit.run(fail), groupCommit.run(() => insert("b"))];
  expect((await Promise.allSettled(writes)).map(({ status }) => status)).toEqual(["rejected", "fulfilled", "rejected", "fulfilled"]);
  expect(runs).toBe(1);
  expect(ids()).toEqual(["a", "b"]);
});

test("writes of one turn share a transaction, and none resolves if its commit fails", async () => {
  using fixture = setup();
  const { database, groupCommit, insert, ids } = fixture;
  database.exec("CREATE TABLE parent (id PRIMARY KEY); CREATE TABLE child (id REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)");
  const outcomes = await Promise.allSettled([
    groupCommit.run(() => insert("a")),
    // SQLite checks for the parent only at the commit.
    groupCommit.run(() => database.exec("INSERT INTO child VALUES ('orphan')")),
    groupCommit.run(() => insert("c")),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  expect(database.isTransaction).toBe(false);
  expect(ids()).toEqual([]);
});

test("if the transaction is lost, every write of the group rejects, none stays, and the next group succeeds", async () => {
  using fixture = setup();
  const { database, groupCommit, insert, ids } = fixture;
  const outcomes = await Promise.allSettled([
    groupCommit.run(() => insert("a")),
    groupCommit.run(() => {
      // As SQLite does on its own on a full disk.
      database.exec("ROLLBACK");
      throw new Error("the disk is full");
    }),
    groupCommit.run(() => insert("c")),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  expect(ids()).toEqual([]);
  await groupCommit.run(() => insert("d"));
  expect(ids()).toEqual(["d"]);
});

test("more writes than fit into a group are all written, in order", async () => {
  using fixture = setup();
  const { groupCommit } = fixture;
  const order: number[] = [];
  await Promise.all(Array.from({ length: 1000 }, (_, index) => groupCommit.run(() => order.push(index))));
  expect(order).toEqual(Array.from({ length: 1000 }, (_, index) => index));
});

test("drain settles waiting writes before it returns", async () => {
  using fixture = setup();
  const { groupCommit, insert, ids } = fixture;
  const waiting = Promise.all(["a", "b"].map((id) => groupCommit.run(() => insert(id))));
  groupCommit.drain();
  expect(ids()).toEqual(["a", "b"]);
  await waiting;
});

test("a checkpoint has a turn of its own, after the write before it was acknowledged and before the next one", async () => {
  using fixture = setup();
  const { database, groupCommit, insert } = fixture;
  const pagesInLog = () => {
    const { log, checkpointed } = database.prepare("PRAGMA wal_checkpoint(NOOP)").get() as { log: number; checkpointed: number };
    return log - checkpointed;
  };
  const fill = () => {
    for (let index = 0; index < 1500; index += 1) insert(`${index}`.padEnd(4000, "x"));
  };
  const next = groupCommit.run(fill, alone).then(() => {
    const pages = pagesInLog();
    return groupCommit.run(() => insert("next")).then(() => pages);
  });
  expect(await next).toBeGreaterThan(1000);
  expect(pagesInLog()).toBeLessThan(100);
});

test("before SQLite 3.51, which cannot tell how long the log is, commits make the checkpoints as they do by default", () => {
  using fixture = setup();
  const { database, insert } = fixture;
  const limit = () => database.prepare("PRAGMA wal_autocheckpoint").get()?.wal_autocheckpoint;
  const questions: string[] = [];
  const older = {
    exec: (sql: string) => database.exec(sql),
    prepare(sql: string) {
      questions.push(sql);
      return database.prepare(sql);
    },
  } as unknown as typeof database;
  expect(prepareCheckpoint(database, "3.51.0").isDue()).toBe(false);
  expect(limit()).toBe(8000);
  const checkpoint = prepareCheckpoint(older, "3.50.4");
  insert("one");
  expect([checkpoint.isDue(), questions, limit()]).toEqual([false, [], 1000]);
});
