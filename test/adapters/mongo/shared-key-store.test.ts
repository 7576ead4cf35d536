import { randomUUID } from "node:crypto";
import { MongoClient } from "mongodb";
import { openMongoKeyStore } from "../../../src/adapters/mongo/key-store.ts";
import { describeSharedKeyStore } from "../../contract/shared-key-store.ts";
import { describeOnMongo } from "../../support/describe-on-mongo.ts";

await describeOnMongo("on a replica set", {}, (mongo) => {
  describeSharedKeyStore("mongo", async () => {
    const database = `keywright-test-${randomUUID()}`;
    return {
      open: () => openMongoKeyStore({ uri: mongo().uri, database, clock: Date.now, timeoutMs: 10_000 }),
      async dispose() {
        await using client = new MongoClient(mongo().uri);
        await client.db(database).dropDatabase();
      },
    };
  });
});
