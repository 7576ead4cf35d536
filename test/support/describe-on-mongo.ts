import { afterAll, beforeAll, describe, test } from "vitest";
import { type MongoOptions, type MongoServer, startMongo, whyUnavailable } from "./mongo-server.ts";

/**
 * `describe` with a MongoDB, which exists from the first hook or test on, but not while tests are collected. If it cannot be started, one
 * skipped test gives the reason. Await it at the top of a test file.
 */
export async function describeOnMongo(name: string, options: MongoOptions, body: (mongo: () => MongoServer) => void): Promise<void> {
  const unavailable = await whyUnavailable(options);
  describe(name, () => {
    if (unavailable !== null) {
      test.skip(`needs MongoDB: ${unavailable}`, () => {});
      return;
    }
    let started: MongoServer | undefined;
    // Not before: if a filter skips all tests, no hook would stop the server again.
    beforeAll(async () => {
      const mongo = await startMongo(options);
      if ("unavailable" in mongo) throw new Error(mongo.unavailable);
      started = mongo;
    });
    afterAll(() => started?.stop());
    body(() => {
      if (started === undefined) throw new Error("MongoDB is started before the first test, not while tests are collected");
      return started;
    });
  });
}
