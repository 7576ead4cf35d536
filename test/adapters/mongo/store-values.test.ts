import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { openMongoKeyStore } from "../../../src/adapters/mongo/key-store.ts";
import { describeOnMongo } from "../../support/describe-on-mongo.ts";

await describeOnMongo("the store's id and salt", {}, (mongo) => {
  const open = (database: string) => openMongoKeyStore({ uri: mongo().uri, database, clock: Date.now });

  test("are the same for all processes that make a store at once, and others for another store", async () => {
    const database = `test-${randomUUID()}`;
    const stores = await Promise.all([open(database), open(database), open(database), open(`${database}-b`)]);
    const ids = stores.map(({ storeId }) => storeId);
    expect(new Set(ids.slice(0, 3)).size).toBe(1);
    expect(ids[3]).not.toBe(ids[0]);
    const salts = stores.map(({ tokenSalt }) => Buffer.from(tokenSalt).toString("hex"));
    expect(new Set(salts.slice(0, 3)).size).toBe(1);
    expect(salts[3]).not.toBe(salts[0]);
    for (const store of stores) await store.close();
  });
});
