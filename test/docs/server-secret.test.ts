import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { MongoClient } from "mongodb";
import { expect, test } from "vitest";
import { openMongoKeyStore } from "../../src/adapters/mongo/key-store.ts";
import { openSqliteKeyStore } from "../../src/adapters/sqlite/key-store.ts";
import { describeOnMongo } from "../support/describe-on-mongo.ts";
import { pageText } from "../support/docs.ts";
import { keyRecord } from "../support/key-record.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { withEvents } from "../support/with-events.ts";

const page = pageText("docs/operations.md");

test("the command of docs/operations.md lets an SQLite file begin anew with another server secret", async () => {
  const folder = temporaryFolder();
  try {
    const path = `${folder.path}/keywright.db`;
    const store = await openSqliteKeyStore({ path, clock: Date.now });
    expect(await store.acceptSecrets({ current: "1111", retired: [] })).toBe("accepted");
    await withEvents(store).insert("default", keyRecord(), null);
    expect(await store.acceptSecrets({ current: "2222", retired: [] })).toBe("refused");
    await store.close();
    await promisify(execFile)("sh", ["-euc", (/^node -e .*secret_marks.*$/m.exec(page)?.[0] ?? "").replace("data/keywright.db", path)]);
    const again = await openSqliteKeyStore({ path, clock: Date.now });
    expect(await again.acceptSecrets({ current: "2222", retired: [] })).toBe("added");
    await again.close();
  } finally {
    folder.remove();
  }
});

await describeOnMongo("docs/operations.md", { members: 1 }, (mongo) => {
  test("its command lets a MongoDB store begin anew with another server secret", async () => {
    const store = await openMongoKeyStore({ uri: mongo().uri, database: "anew", clock: Date.now });
    const client = await new MongoClient(mongo().uri).connect();
    try {
      expect(await store.acceptSecrets({ current: "1111", retired: [] })).toBe("accepted");
      await withEvents(store).insert("default", keyRecord(), null);
      expect(await store.acceptSecrets({ current: "2222", retired: [] })).toBe("refused");
      // What mongosh does with the command.
      const [, collection = "", filter = ""] = /^db\.(\w+)\.deleteOne\((.*)\)$/m.exec(page) ?? [];
      const { deletedCount } = await client
        .db("anew")
        .collection(collection)
        .deleteOne(JSON.parse(filter.replaceAll(/(\w+):/g, '"$1":')));
      expect(deletedCount).toBe(1);
      expect(await store.acceptSecrets({ current: "2222", retired: [] })).toBe("added");
    } finally {
      await store.close();
      await client.close();
    }
  });
});
