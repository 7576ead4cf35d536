import { randomUUID } from "node:crypto";
import { MongoClient } from "mongodb";
import { afterEach, expect, test } from "vitest";
import { type MongoKeyStore, openMongoKeyStore } from "../../../src/adapters/mongo/key-store.ts";
import { describeOnMongo } from "../../support/describe-on-mongo.ts";

await describeOnMongo("cache generation", {}, (mongo) => {
  const opened: MongoKeyStore[] = [];
  let database = "";
  const open = async () => {
    const store = await openMongoKeyStore({ uri: mongo().uri, database, clock: Date.now, timeoutMs: 10_000 });
    opened.push(store);
    return store.cacheGeneration;
  };
  const openNew = () => {
    database = `keywright-test-${randomUUID()}`;
    return open();
  };
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
    await using client = new MongoClient(mongo().uri);
    await client.db(database).dropDatabase();
  });

  test("is number 0 without an id before the first advance", async () => {
    expect(await (await openNew()).read()).toEqual({ number: 0, cacheId: "" });
  });

  test("advances step by step, and every process sees it", async () => {
    const [one, other] = [await openNew(), await open()];
    expect(await one.advance(0, "a")).toEqual({ number: 1, cacheId: "a" });
    expect(await other.read()).toEqual({ number: 1, cacheId: "a" });
    expect(await other.advance(1, "b")).toEqual({ number: 2, cacheId: "b" });
    expect(await one.read()).toEqual({ number: 2, cacheId: "b" });
  });

  test.each([0, 1, 3])("an advance from %i, which is not in force, changes nothing and answers what is", async (from) => {
    const store = await openNew();
    await store.advance(0, "a");
    await store.advance(1, "b");
    expect(await store.advance(from, "c")).toEqual({ number: 2, cacheId: "b" });
    expect(await store.read()).toEqual({ number: 2, cacheId: "b" });
  });

  test.each([0, 1])("of 20 concurrent advances from %i one happens, and all answer it", async (from) => {
    const stores = [await openNew(), await open()];
    if (from === 1) await stores[0]?.advance(0, "first");
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => stores[index % 2]?.advance(from, `cache ${index}`)));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]).toEqual(await stores[0]?.read());
    expect(answers[0]?.number).toBe(from + 1);
  });
});
