import { afterAll, describe, test } from "vitest";
import { type MongoOptions, type MongoServer, startMongo } from "./mongo-server.ts";

/** `describe` with a MongoDB of its own, or a skipped test that says why there is none. To be awaited at the top of a test file. */
export async function describeOnMongo(name: string, options: MongoOptions, body: (mongo: MongoServer) => void): Promise<void> {
  const mongo = await startMongo(options);
  describe(name, () => {
    if ("unavailable" in mongo) {
      test.skip(`needs a MongoDB server: ${mongo.unavailable}`, () => {});
      return;
    }
    afterAll(() => mongo.stop());
    body(mongo);
  });
}
