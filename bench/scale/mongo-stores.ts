import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MinKey, MongoClient } from "mongodb";
import { serverBinary } from "../../scripts/test-servers.ts";
import { openMongoKeyStore } from "../../src/adapters/mongo/key-store.ts";
import { freePorts } from "../../test/support/free-port.ts";
import { startServerChild } from "../../test/support/server-child.ts";
import { fillMongoInBulk } from "./bulk-mongo.ts";
import type { Stores } from "./stores.ts";

/** Those in which the measured calls meet any page, with their first field. */
const warmedIndexes = [
  ["keys", "_id_", "_id"],
  ["keys", "keys_by_actor", "kind"],
  ["keys", "keys_by_kind", "kind"],
  ["keys", "keys_by_create_time", "tenant"],
  ["keys", "keys_by_expire_time", "tenant"],
  ["keys", "keys_by_use", "tenant"],
  ["audit_events", "events_by_key", "keyIds"],
] as const;

/** A mongod of its own, with its files in the folder. It keeps its port, because the port is in the configuration of the replica set. */
export async function mongoStores(folder: string, cacheGb = "2"): Promise<Stores> {
  const dbPath = join(folder, "mongod");
  const portFile = join(folder, "mongod-port");
  const isNew = !existsSync(portFile);
  mkdirSync(dbPath, { recursive: true });
  if (isNew) writeFileSync(portFile, String((await freePorts(1))[0]));
  const port = Number(readFileSync(portFile, "utf8"));
  const args = ["--port", String(port), "--dbpath", dbPath, "--bind_ip", "127.0.0.1", "--nounixsocket", "--quiet"];
  args.push("--replSet", "scale", "--oplogSize", "990", "--wiredTigerCacheSizeGB", cacheGb);
  const child = await startServerChild(await serverBinary("mongod"), args, port);
  const direct = await MongoClient.connect(`mongodb://127.0.0.1:${port}/?directConnection=true`);
  const uri = `mongodb://127.0.0.1:${port}/?replicaSet=scale`;
  const members = [{ _id: 0, host: `127.0.0.1:${port}` }];
  if (isNew) await direct.db("admin").command({ replSetInitiate: { _id: "scale", members } });
  return {
    pid: child.pid,
    open: (database) => openMongoKeyStore({ uri, database, clock: Date.now, timeoutMs: 60_000 }),
    fillInBulk: (database, filling) => fillMongoInBulk(uri, database, filling),
    async warm(database) {
      const db = direct.db(database);
      await Promise.all([
        db
          .collection("keys")
          .find({ digest: "none" }, { hint: { $natural: 1 } })
          .toArray(),
        ...warmedIndexes.map(([name, hint, field]) => {
          const all = [{ $match: { [field]: { $gt: new MinKey() } } }, { $count: "count" }];
          return db.collection(name).aggregate(all, { hint }).toArray();
        }),
      ]);
    },
    async pagesRead() {
      const { wiredTiger } = await direct.db("admin").command({ serverStatus: 1 });
      return wiredTiger.cache["pages read into cache"] as number;
    },
    async sizes(database) {
      const sizes: [string, number][] = [];
      for (const { name } of await direct.db(database).listCollections().toArray()) {
        const [stats] = await direct
          .db(database)
          .collection(name)
          .aggregate([{ $collStats: { storageStats: {} } }])
          .toArray();
        sizes.push([name, stats?.storageStats.storageSize as number]);
        const indexes = Object.entries(stats?.storageStats.indexSizes as Record<string, number>);
        sizes.push(...indexes.map(([index, bytes]): [string, number] => [`${name}.${index}`, bytes]));
      }
      return sizes.toSorted((a, b) => b[1] - a[1]);
    },
    async stop() {
      await direct.close();
      await child.kill("SIGTERM");
    },
  };
}
