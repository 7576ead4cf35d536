import { MongoClient } from "mongodb";
import { appendEvents } from "../../src/adapters/mongo/audit.ts";
import { documentOf } from "../../src/adapters/mongo/document.ts";
import { collectionsOf } from "../../src/adapters/mongo/schema.ts";
import { defaultTenant } from "../../src/core/tenant.ts";
import { auditEvent } from "../../test/support/with-events.ts";
import { type Filling, keyIdOf, recordOf } from "./records.ts";

/** As many keys as an import sends in a batch, which has one event. */
const keysOfBatch = 1000;
const batchesInFlight = 2;

/**
 * Fills a new MongoDB store, several times as fast as `insertMany`: without transactions, and before the indexes exist, which the store
 * builds when it is opened. The documents are those that the store writes.
 */
export async function fillMongoInBulk(uri: string, database: string, filling: Filling): Promise<void> {
  const client = await MongoClient.connect(uri, { writeConcern: { w: 1, journal: false } });
  const { keys, auditEvents } = collectionsOf(client.db(database));
  const { signal } = new AbortController();
  let next = 0;
  const worker = async () => {
    while (next < filling.count) {
      const start = next;
      next = Math.min(next + keysOfBatch, filling.count);
      const indexes = Array.from({ length: next - start }, (_, offset) => start + offset);
      const documents = indexes.map((index) => documentOf(defaultTenant, recordOf(filling, index), null));
      await keys.insertMany(documents, { ordered: false });
      const keyIds = indexes.map((index) => keyIdOf(filling, index));
      await appendEvents(auditEvents, defaultTenant, [auditEvent({ keyIds })], signal);
      if (start % 1_000_000 === 0) console.info(`${start} keys, ${Math.round(performance.now() / 1000)} s`);
    }
  };
  await Promise.all(Array.from({ length: batchesInFlight }, worker));
  await client.close();
}
