import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { MongoClient } from "mongodb";
import { serverBinary } from "../../scripts/test-servers.ts";
import { openMongoKeyStore } from "../../src/adapters/mongo/key-store.ts";
import { openSqliteKeyStore } from "../../src/adapters/sqlite/key-store.ts";
import { defaultTenant } from "../../src/core/tenant.ts";
import type { KeyStore } from "../../src/ports/key-store.ts";
import { freePorts } from "../../test/support/free-port.ts";
import { startServerChild } from "../../test/support/server-child.ts";
import { withEvents } from "../../test/support/with-events.ts";
import { fillInBulk } from "./bulk.ts";
import { type Filling, recordOf } from "./records.ts";

/** Where stores are kept, by name. */
export interface Stores {
  open(name: string): Promise<KeyStore>;
  /** Fills a store that is not open. */
  fillInBulk?(name: string, filling: Filling): void;
  /** Bytes on the disk, by table and index. Call it after the stores are closed. */
  sizes(name: string): Promise<[name: string, bytes: number][]>;
  /** The process of the database, if it has one of its own. */
  readonly pid: number | null;
  stop(): Promise<void>;
}

/** `cacheGb` is the room for pages; default: that of the store. */
export function sqliteStores(folder: string, cacheGb: string | undefined): Stores {
  const pathOf = (name: string) => join(folder, `${name}.db`);
  const cacheMib = cacheGb === undefined ? undefined : Math.round(Number(cacheGb) * 1024);
  return {
    pid: null,
    open: (name) => openSqliteKeyStore({ path: pathOf(name), clock: Date.now, cacheMib }),
    fillInBulk: (name, filling) => fillInBulk(pathOf(name), filling),
    async sizes(name) {
      const database = new DatabaseSync(pathOf(name));
      const rows = database.prepare("SELECT name, pgsize FROM dbstat WHERE aggregate = TRUE ORDER BY pgsize DESC").all();
      database.close();
      return (rows as unknown as { name: string; pgsize: number }[]).map((row) => [row.name, row.pgsize]);
    },
    stop: async () => {},
  };
}

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
  const members = [{ _id: 0, host: `127.0.0.1:${port}` }];
  if (isNew) await direct.db("admin").command({ replSetInitiate: { _id: "scale", members } });
  return {
    pid: child.pid,
    open: (database) =>
      openMongoKeyStore({ uri: `mongodb://127.0.0.1:${port}/?replicaSet=scale`, database, clock: Date.now, timeoutMs: 60_000 }),
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

const batchSize = 1000;
const batchesInFlight = 4;

/** Opens a store, and fills it unless it was filled before. */
export async function filledStore(
  stores: Stores,
  folder: string,
  name: string,
  { kind, count, isInBulk }: Omit<Filling, "filledMs"> & { readonly isInBulk: boolean },
): Promise<[KeyStore, Filling]> {
  const mark = join(folder, `${name}.json`);
  let store = await stores.open(name);
  if (existsSync(mark)) return [store, JSON.parse(readFileSync(mark, "utf8")) as Filling];
  const filling = { kind, count, filledMs: Date.now() };
  const [startMs, startCpu] = [performance.now(), process.cpuUsage()];
  if (isInBulk && stores.fillInBulk !== undefined) {
    await store.close();
    stores.fillInBulk(name, filling);
    store = await stores.open(name);
  } else await fill(store, filling);
  const [seconds, cpu] = [(performance.now() - startMs) / 1000, process.cpuUsage(startCpu)];
  const cpuOfKey = ((cpu.user + cpu.system) / count).toFixed(0);
  console.info(`filled with ${count} keys: ${Math.round(count / seconds)} keys/s, ${cpuOfKey} us of CPU in this process`);
  writeFileSync(mark, JSON.stringify(filling));
  return [store, filling];
}

async function fill(store: KeyStore, filling: Filling): Promise<void> {
  const inserting = withEvents(store);
  let next = 0;
  const worker = async () => {
    while (next < filling.count) {
      const start = next;
      next = Math.min(next + batchSize, filling.count);
      const items = Array.from({ length: next - start }, (_, offset) => ({ record: recordOf(filling, start + offset), request: null }));
      await inserting.insertMany(defaultTenant, items);
      if (Math.floor(next / 1_000_000) > Math.floor(start / 1_000_000))
        console.info(`${next} keys, ${Math.round(performance.now() / 1000)} s`);
    }
  };
  await Promise.all(Array.from({ length: batchesInFlight }, worker));
}
