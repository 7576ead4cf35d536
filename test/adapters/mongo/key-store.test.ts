import { randomUUID } from "node:crypto";
import { MongoClient } from "mongodb";
import { expect, test } from "vitest";
import { addOne } from "../../../src/adapters/mongo/insert-one.ts";
import { openMongoKeyStore } from "../../../src/adapters/mongo/key-store.ts";
import { createTenantQuota } from "../../../src/adapters/mongo/quota.ts";
import { collectionsOf } from "../../../src/adapters/mongo/schema.ts";
import type { SharedKeyStore } from "../../../src/ports/shared-key-store.ts";
import { describeKeyQuota } from "../../contract/key-quota.ts";
import { describeKeyStore } from "../../contract/key-store.ts";
import { describeOnMongo } from "../../support/describe-on-mongo.ts";
import { keyRecord } from "../../support/key-record.ts";
import { auditEvent } from "../../support/with-events.ts";

await describeOnMongo("on a replica set", {}, (mongo) => {
  describeKeyStore("mongo", async () => {
    const database = `keywright-test-${randomUUID()}`;
    const openStore = () => openMongoKeyStore({ uri: mongo().uri, database, clock: Date.now, timeoutMs: 10_000 });
    let store = await openStore();
    return {
      store,
      reopen: async () => {
        store = await openStore();
        return store;
      },
      dispose: async () => {
        await store.close();
        await using client = new MongoClient(mongo().uri);
        await client.db(database).dropDatabase();
      },
    };
  });

  describeKeyQuota("mongo", async () => {
    const database = `keywright-test-${randomUUID()}`;
    const options = { uri: mongo().uri, database, clock: Date.now, timeoutMs: 10_000 };
    let stores: SharedKeyStore[] = [];
    const close = () => Promise.all(stores.map((store) => store.close()));
    return {
      async open(maxKeys) {
        await close();
        stores = await Promise.all([1, 2].map(() => openMongoKeyStore({ ...options, maxKeys })));
        return stores;
      },
      async dispose() {
        await close();
        await using client = new MongoClient(mongo().uri);
        await client.db(database).dropDatabase();
      },
    };
  });

  test("a key that is added alone, after its batch could not be, is not added again either if it was deleted", async () => {
    const name = `keywright-test-${randomUUID()}`;
    const store = await openMongoKeyStore({ uri: mongo().uri, database: name, clock: Date.now, timeoutMs: 10_000 });
    await using client = new MongoClient(mongo().uri);
    const collections = collectionsOf(client.db(name));
    const quota = createTenantQuota(client, collections, () => null);
    const add = (batchMark: string) => addOne({ collections, quota, clock: Date.now }, "t", insertion(batchMark), signal);
    const insertion = (batchMark: string) => ({
      ...{ record: keyRecord({ kind: "imported" }), request: null, batchMark },
      eventOf: (keyIds: readonly string[]) => auditEvent({ keyIds }),
    });
    const { signal } = new AbortController();
    expect((await add("one")).outcome).toBe("inserted");
    expect(await add("one")).toMatchObject({ outcome: "batch_repeated", record: { revision: 1 } });
    await store.delete("t", "imported", keyRecord().keyId, auditEvent());
    expect(await add("one")).toEqual({ outcome: "batch_repeated", record: null });
    expect(await add("other")).toMatchObject({ outcome: "inserted", record: { revision: 3 } });
    await store.close();
    await client.db(name).dropDatabase();
  });

  test("a batch is written in the order of key ids, and answered in its own order", async () => {
    const database = `keywright-test-${randomUUID()}`;
    const store = await openMongoKeyStore({ uri: mongo().uri, database, clock: Date.now, timeoutMs: 10_000 });
    await using client = new MongoClient(mongo().uri);
    const keyIds = ["C", "A", "D", "B"];
    const items = keyIds.map((keyId) => ({ record: keyRecord({ keyId }), request: null }));
    const outcomes = await store.insertMany("t", items, (ids) => auditEvent({ keyIds: ids }));
    expect(outcomes.map((outcome) => outcome.outcome === "inserted" && outcome.record.keyId)).toEqual(keyIds);
    const written = await client
      .db(database)
      .collection("keys")
      .find({}, { sort: { $natural: 1 } })
      .map(({ _id }) => String(_id))
      .toArray();
    expect(written).toEqual(["t/A", "t/B", "t/C", "t/D"]);
    await store.close();
    await client.db(database).dropDatabase();
  });
});
