import { randomUUID } from "node:crypto";
import { MongoClient } from "mongodb";
import { expect, test } from "vitest";
import { openMongoKeyStore } from "../../../src/adapters/mongo/key-store.ts";
import type { KeyRecord } from "../../../src/core/key.ts";
import { describeOnMongo } from "../../support/describe-on-mongo.ts";
import { keyRecord } from "../../support/key-record.ts";

await describeOnMongo("keys that were stored before first revisions existed", {}, (mongo) => {
  test("have first revision 0 until they are deleted, and the next key with the same id has another", async () => {
    const database = `test-${randomUUID()}`;
    const store = await openMongoKeyStore({ uri: mongo().uri, database, clock: Date.now });
    await using client = new MongoClient(mongo().uri);
    const event = {
      ...{ eventId: "E", timeMs: 0, method: "", caller: "", clientAddress: "", requestId: "" },
      ...{ keyIds: ["K"], changedFields: [], revocationReason: null, errorReason: null },
    };
    const record = keyRecord({ keyId: "K", kind: "imported" });
    await store.insert("t", record, null, event);
    await client
      .db(database)
      .collection("keys")
      .updateMany({}, { $unset: { firstRevision: "" } });
    expect(await store.get("t", "K")).toEqual({ ...record, firstRevision: 0 });

    const old = (await store.get("t", "K")) as KeyRecord;
    await store.replace("t", { ...old, revision: 2 }, { ...event, eventId: "F" });
    expect((await store.get("t", "K"))?.firstRevision).toBe(0);

    await store.delete("t", "imported", "K", { ...event, eventId: "G" });
    await store.insert("t", record, null, { ...event, eventId: "H" });
    expect(await store.get("t", "K")).toMatchObject({ revision: 4, firstRevision: 4 });
    await store.close();
    await client.db(database).dropDatabase();
  });
});
