import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { generateJwkSet } from "../src/config/signing-key.ts";
import { type MongoServer, startMongo } from "../test/support/mongo-server.ts";
import { type RedisServer, startRedis } from "../test/support/redis-server.ts";

export interface Backends {
  readonly redis: RedisServer;
  readonly mongo: MongoServer;
  /** Settings of servers that share the store. Each chooses its own cache. */
  readonly settings: Readonly<Record<string, string>>;
}

/** Starts a mongod and a redis-server, which end with the resources. Rejects if one cannot be started. */
export async function startBackends(folder: string, adminToken: string, resources: AsyncDisposableStack): Promise<Backends> {
  const mongo = await startMongo({ members: 1, cacheGb: 1 });
  if ("unavailable" in mongo) throw new Error(mongo.unavailable);
  resources.defer(() => mongo.stop());
  const redis = await startRedis({ own: true });
  if ("unavailable" in redis) throw new Error(redis.unavailable);
  resources.defer(() => redis.stop());
  const signingKeys = join(folder, "shared-signing-keys.json");
  await writeFile(signingKeys, await generateJwkSet(), { mode: 0o600 });
  return {
    redis,
    mongo,
    settings: {
      KEYWRIGHT_PORT: "0",
      KEYWRIGHT_STORE: mongo.uri.replace("/?", "/bench?"),
      KEYWRIGHT_SECRET: randomBytes(32).toString("hex"),
      KEYWRIGHT_ADMIN_TOKEN: adminToken,
      KEYWRIGHT_SIGNING_KEYS: pathToFileURL(signingKeys).href,
    },
  };
}
