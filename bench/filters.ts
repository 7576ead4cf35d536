/**
 * Measures how long one page of each filter takes with many keys, and with a thousand for comparison: `node bench/filters.ts [--keys
 * <count>]`. Runs on SQLite, and on a mongod that it starts. Prints the median of 21 pages of 50 keys, in ms, and the rate at which keys
 * were added.
 */
import { join } from "node:path";
import { openMongoKeyStore } from "../src/adapters/mongo/key-store.ts";
import { openSqliteKeyStore } from "../src/adapters/sqlite/key-store.ts";
import type { KeySelection } from "../src/core/key-filter.ts";
import { keyRecord } from "../test/support/key-record.ts";
import { startMongo } from "../test/support/mongo-server.ts";
import { temporaryFolder } from "../test/support/temporary-folder.ts";
import { type StoreWithEvents, withEvents } from "../test/support/with-events.ts";
import { median } from "./median.ts";

const smallCount = 1000;
const largeCount = Number(process.argv[process.argv.indexOf("--keys") + 1] || 100_000) || 100_000;
const dayMs = 86_400_000;
const nowMs = 1_760_000_000_000;
const pages = 21;

/** 1 key in 100 expires within 7 days, 1 in 100 has not been used for long, and each name, scope and team has 1 in 50. */
const record = (index: number) =>
  keyRecord({
    keyId: `01HQZX9VYQ${String(index).padStart(16, "0")}`,
    digest: "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
    actorId: `user-${index % 1000}`,
    name: `service-${index % 50}-key`,
    scopes: ["invoices:read", `area-${index % 50}`],
    metadata: { team: `team-${index % 50}`, stage: "production" },
    createTimeMs: nowMs - 200 * dayMs + index,
    updateTimeMs: nowMs,
    expireTimeMs: nowMs + (index % 100) * 7 * dayMs + 1,
    lastUsedTimeMs: index % 100 === 7 ? nowMs - 100 * dayMs : nowMs - (index % 100) * 1000,
    revocation: index % 10 === 3 ? { reason: "superseded", description: "" } : null,
  });

const selections: Readonly<Record<string, KeySelection>> = {
  'name="service-7-*"': { name: { text: "service-7-", isPrefix: true } },
  'scopes:"area-7"': { scope: "area-7" },
  'metadata.team="team-7"': { metadata: { member: "team", value: "team-7" } },
  "expires within 7 days, active": { expireTime: { untilMs: nowMs + 7 * dayMs }, status: "active" },
  "unused for 90 days, active": { lastUsedTime: { untilMs: nowMs - 90 * dayMs }, status: "active" },
  "create_time, a range": { createTime: { fromMs: nowMs - 200 * dayMs + 100, untilMs: nowMs } },
  "order_by create_time desc": { order: { by: "createTime", isDescending: true } },
  "order_by expire_time, active": { order: { by: "expireTime", isDescending: false }, status: "active" },
  "scope and actor": { scope: "area-7", actorId: "user-7" },
};

using folder = temporaryFolder();
const sqlite = (name: string) => openSqliteKeyStore({ path: join(folder.path, name), clock: Date.now });
await measure("SQLite", sqlite);
const mongo = await startMongo({ members: 1, cacheGb: 2 });
if ("unavailable" in mongo) throw new Error(mongo.unavailable);
await measure("MongoDB", (database) => openMongoKeyStore({ uri: mongo.uri, database, clock: Date.now, timeoutMs: 60_000 }));
await mongo.stop();

async function measure(name: string, open: (name: string) => Promise<Parameters<typeof withEvents>[0]>): Promise<void> {
  const small = withEvents(await open("small"));
  const large = withEvents(await open("large"));
  await fill(small, smallCount);
  const startMs = performance.now();
  await fill(large, largeCount);
  console.info(`${name}: insertMany ${Math.round((largeCount / (performance.now() - startMs)) * 1000)} keys/s`);
  for (const [filter, selection] of Object.entries(selections)) {
    const [before, after] = [await pageMs(small, selection), await pageMs(large, selection)];
    console.info(`${name}: ${filter}: ${before.toFixed(2)} ms at ${smallCount} keys, ${after.toFixed(2)} ms at ${largeCount}`);
  }
  await Promise.all([small.close(), large.close()]);
}

async function fill(store: StoreWithEvents, count: number): Promise<void> {
  for (let start = 0; start < count; start += 1000) {
    const items = Array.from({ length: Math.min(1000, count - start) }, (_, offset) => ({ record: record(start + offset), request: null }));
    await store.insertMany("default", items);
  }
}

async function pageMs(store: StoreWithEvents, selection: KeySelection): Promise<number> {
  const times: number[] = [];
  for (let page = 0; page < pages; page += 1) {
    const startMs = performance.now();
    await store.list("default", { kind: "issued", ...selection, nowMs, limit: 50 });
    times.push(performance.now() - startMs);
  }
  return median(times);
}
