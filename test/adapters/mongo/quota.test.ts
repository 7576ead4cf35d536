import { MongoClient } from "mongodb";
import { expect, test } from "vitest";
import { createTenantQuota } from "../../../src/adapters/mongo/quota.ts";
import { collectionsOf } from "../../../src/adapters/mongo/schema.ts";
import { describeOnMongo } from "../../support/describe-on-mongo.ts";

await describeOnMongo("a key quota", { members: 1 }, (mongo) => {
  test("transactions that wait for the first count respect their deadlines", async () => {
    await using client = new MongoClient(mongo().uri);
    const quota = createTenantQuota(client, collectionsOf(client.db("quota")), () => 1);
    // Connects first, so that the wait is for the answer, which has no time-out of its own.
    await client.connect();
    await mongo().members[0]?.kill("SIGSTOP");
    try {
      const startMs = performance.now();
      const waiting = [300, 600].map((timeoutMs) => quota.transaction("tenant", AbortSignal.timeout(timeoutMs), async () => {}));
      expect((await Promise.allSettled(waiting)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
      expect(performance.now() - startMs).toBeLessThan(3000);
    } finally {
      await mongo().members[0]?.kill("SIGCONT");
    }
  });
});
