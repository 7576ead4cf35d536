import { randomUUID } from "node:crypto";
import { type CreateIndexesOptions, type IndexSpecification, MongoClient } from "mongodb";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openMongoKeyStore } from "../../../src/adapters/mongo/key-store.ts";
import { ensureSchema, keyIndexes } from "../../../src/adapters/mongo/schema.ts";
import { describeOnMongo } from "../../support/describe-on-mongo.ts";

const dayMs = 86_400_000;

await describeOnMongo("schema", {}, (mongo) => {
  let client: MongoClient;
  const names: string[] = [];
  const newDatabase = () => {
    const name = `keywright-test-${randomUUID()}`;
    names.push(name);
    return client.db(name);
  };
  beforeAll(() => {
    client = new MongoClient(mongo().uri);
  });
  afterAll(async () => {
    for (const name of names) await client.db(name).dropDatabase();
    await client.close();
  });

  test("is created by many processes at the same time, and found by later ones", async () => {
    const db = newDatabase();
    await Promise.all(Array.from({ length: 8 }, () => ensureSchema(db, dayMs)));
    await ensureSchema(db, dayMs);
    const found = (await db.collection("keys").indexes()).map(({ name }) => name);
    expect(found.sort()).toEqual(["_id_", ...keyIndexes.map(({ name }) => name)].sort());
  });

  const wrong: [string, IndexSpecification, CreateIndexesOptions, string][] = [
    ["other fields under the name", { kind: 1, _id: 1 }, { name: "keys_by_kind" }, "keys_by_kind"],
    ["another order of the fields", { revoked: 1, kind: 1, _id: 1, expireTimeMs: 1 }, { name: "keys_by_kind" }, "keys_by_kind"],
    ["the fields under another name", { kind: 1, revoked: 1, _id: 1, expireTimeMs: 1 }, { name: "mine" }, "mine"],
    [
      "a shorter life",
      { deleteTime: 1 },
      { name: "tombstones_by_delete_time", sparse: true, expireAfterSeconds: 60 },
      "tombstones_by_delete_time",
    ],
    ["a partial one", keyIndexes[0].key, { name: "keys_by_kind", partialFilterExpression: { revoked: true } }, "keys_by_kind"],
  ];
  test.each(wrong)("an index with %s is refused, and the error names it", async (_case, key, options, name) => {
    const db = newDatabase();
    await db.collection("keys").createIndex(key, options);
    const opening = openMongoKeyStore({ uri: mongo().uri, database: db.databaseName, clock: Date.now });
    await expect(opening).rejects.toThrow(`the index ${name} of the collection keys differs`);
  });

  test("another retention of audit events changes the existing index", async () => {
    const db = newDatabase();
    for (const days of [400, 30, 30]) {
      await ensureSchema(db, days * dayMs);
      const indexes = await db.collection("audit_events").indexes();
      expect(indexes.find(({ name }) => name === "events_by_time")?.expireAfterSeconds).toBe(days * 86_400);
    }
  });

  test("additional indexes are left alone", async () => {
    const db = newDatabase();
    await db.collection("keys").createIndex({ name: 1 });
    await ensureSchema(db, dayMs);
    expect((await db.collection("keys").indexes()).map(({ name }) => name)).toContain("name_1");
  });

  test("a collection with a collation is refused, because ids that differ in case would be equal", async () => {
    const db = newDatabase();
    await db.createCollection("keys", { collation: { locale: "en", strength: 2 } });
    await expect(ensureSchema(db, dayMs)).rejects.toThrow("the collection keys has a collation");
  });
});
