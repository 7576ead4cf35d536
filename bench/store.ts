/**
 * Measures the MongoDB key store against the bare driver: `node bench/store.ts [--full | <keys>]`. Starts its own mongod. Compared calls
 * take turns in short rounds, and the output is the median of the rounds' ratios, because a busy machine slows both sides alike.
 */
import { MongoClient } from "mongodb";
import { openMongoKeyStore } from "../src/adapters/mongo/key-store.ts";
import type { KeyRecord } from "../src/core/key.ts";
import { keyRecord } from "../test/support/key-record.ts";
import { startMongo } from "../test/support/mongo-server.ts";
import { withEvents } from "../test/support/with-events.ts";
import { median } from "./median.ts";

const inFlight = 16;
const rounds = 11;
const smallCount = 1000;
const largeCount = process.argv.includes("--full") ? 1_000_000 : Number(process.argv[2] ?? 50_000);
const tenant = "default";
let position = 0;
let lastIndex = 10_000_000;
let revokedCount = 0;

const mongo = await startMongo({ members: 1, cacheGb: 2 });
if ("unavailable" in mongo) throw new Error(mongo.unavailable);
const small = withEvents(await openMongoKeyStore({ uri: mongo.uri, database: "small", clock: Date.now }));
const large = withEvents(await openMongoKeyStore({ uri: mongo.uri, database: "large", clock: Date.now }));
const limited = withEvents(await openMongoKeyStore({ uri: mongo.uri, database: "limited", clock: Date.now, maxKeys: 1_000_000_000 }));
const client = new MongoClient(mongo.uri, { maxPoolSize: 32 });
const bare = client.db("bare").collection<Record<string, unknown> & { _id: string }>("keys");

const keyId = (index: number) => `01HQZX9VYQ${String(index).padStart(16, "0")}`;
const record = (index: number): KeyRecord =>
  keyRecord({
    keyId: keyId(index),
    digest: "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
    name: "billing service",
    actorId: `user-${index % 1000}`,
    scopes: ["invoices:read", "invoices:write"],
    metadata: { team: "billing", stage: "production" },
    createTimeMs: 1_760_000_000_000 + index,
    updateTimeMs: 1_760_000_000_000 + index,
    expireTimeMs: 1_790_000_000_000,
  });
const bareDocument = (index: number) => {
  const { keyId: id, metadata, ...rest } = record(index);
  return { _id: `${tenant}/${id}`, ...rest, metadata: JSON.stringify(metadata) };
};

try {
  await fill(small, smallCount);
  await bare.insertMany(Array.from({ length: smallCount }, (_, index) => bareDocument(index)));
  const filledMs = await timed(() => fill(large, largeCount));
  console.info(`insertMany: ${Math.round(largeCount / (filledMs / 1000))} keys/s`);

  const bareGet = () => bare.findOne({ _id: `${tenant}/${keyId(scattered(smallCount))}` });
  const smallGet = () => small.get(tenant, keyId(scattered(smallCount)));
  const largeGet = () => large.get(tenant, keyId(scattered(largeCount)));
  await compare(`get against bare findOne, ${inFlight} in flight (goal 0.8)`, 2000, smallGet, bareGet, inFlight);
  await compare("get against bare findOne, one at a time", 300, smallGet, bareGet, 1);
  await compare(`get at ${largeCount} keys against ${smallCount}, ${inFlight} in flight (goal near 1)`, 4000, largeGet, smallGet, inFlight);

  const majority = { writeConcern: { w: "majority", j: true } } as const;
  const bareInsert = () => bare.insertOne(bareDocument(newIndex()), majority);
  const insert = () => small.insert(tenant, record(newIndex()), null);
  const marked = () => small.insert(tenant, record(newIndex()), { requestId: String(newIndex()), payloadDigest: "digest" });
  await compare(`insert against bare insertOne with majority, ${inFlight} in flight (goal 0.7)`, 400, insert, bareInsert, inFlight);
  await compare("insert against bare insertOne with majority, one at a time", 60, insert, bareInsert, 1);
  const revoke = () => {
    revokedCount += 1;
    return small.replace(tenant, { ...record(revokedCount), revision: 2, revocation: { reason: "superseded", description: "" } });
  };
  const bareRevoke = () => {
    const filter = { _id: `${tenant}/${keyId(scattered(smallCount))}` };
    return bare.updateOne(filter, { $set: { revision: position } }, majority);
  };
  await compare(`revoke against bare updateOne with majority, ${inFlight} in flight`, 80, revoke, bareRevoke, inFlight);
  const insertLimited = () => limited.insert(tenant, record(newIndex()), null);
  await compare(`insert under a quota against one without, ${inFlight} in flight`, 400, insertLimited, insert, inFlight);
  await compare("insert with a request id against bare insertOne with majority", 200, marked, bareInsert, inFlight);
} finally {
  await Promise.all([small.close(), large.close(), limited.close(), client.close()]);
  await mongo.stop();
}

/** Visits all numbers below `count`, each far from the previous one. */
function scattered(count: number): number {
  position += 7919;
  return position % count;
}

function newIndex(): number {
  lastIndex += 1;
  return lastIndex;
}

async function fill(store: typeof small, count: number): Promise<void> {
  for (let start = 0; start < count; start += 1000) {
    const length = Math.min(1000, count - start);
    await store.insertMany(
      tenant,
      Array.from({ length }, (_, offset) => ({ record: record(start + offset), request: null })),
    );
  }
}

/** Prints the throughput of `ours` as a ratio of that of `theirs`. */
async function compare(name: string, count: number, ours: () => Promise<unknown>, theirs: () => Promise<unknown>, width: number) {
  const ratios: number[] = [];
  const rates: number[] = [];
  await run(ours, count, width);
  await run(theirs, count, width);
  for (let round = 0; round < rounds; round += 1) {
    // Each side goes first in half of the rounds.
    const oursFirst = round % 2 === 0 ? await run(ours, count, width) : undefined;
    const theirsMs = await run(theirs, count, width);
    const oursMs = oursFirst ?? (await run(ours, count, width));
    ratios.push(theirsMs / oursMs);
    rates.push(count / (oursMs / 1000));
  }
  console.info(`${name}: ${median(ratios).toFixed(2)} (${Math.round(median(rates))}/s)`);
}

function run(call: () => Promise<unknown>, count: number, width: number): Promise<number> {
  let left = count;
  const worker = async () => {
    for (; left > 0; left -= 1) await call();
  };
  return timed(() => Promise.all(Array.from({ length: width }, worker)));
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}
