import { randomUUID } from "node:crypto";
import { MongoClient } from "mongodb";
import { openMongoKeyStore } from "../../../src/adapters/mongo/key-store.ts";
import { describeKeyStore } from "../../contract/key-store.ts";
import { describeOnMongo } from "../../support/describe-on-mongo.ts";

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
});
