import { startMongo } from "./mongo-server.ts";
import { startRedis } from "./redis-server.ts";

/**
 * Starts one mongod and one redis-server for all files of the vitest project `servers-mongodb`, whose servers under test share them
 * (test-backend.ts).
 */
export default async function setup(): Promise<() => Promise<void>> {
  const [mongo, redis] = await Promise.all([startMongo(), startRedis()]);
  if ("unavailable" in mongo || "unavailable" in redis) {
    const reason = "unavailable" in mongo ? mongo.unavailable : "unavailable" in redis ? redis.unavailable : "";
    if (process.env.CI !== undefined) throw new Error(reason);
    console.warn(`The operations are tested on SQLite only: ${reason}`);
    return async () => {};
  }
  process.env.KEYWRIGHT_TEST_BACKEND = `${mongo.uri} ${redis.uri}`;
  return async () => {
    await Promise.all([mongo.stop(), redis.stop()]);
  };
}
