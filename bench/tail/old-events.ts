import { openSqliteKeyStore } from "../../src/adapters/sqlite/key-store.ts";
import { defaultTenant } from "../../src/core/tenant.ts";
import { dayMs } from "../../src/core/time-units.ts";
import { createUlid } from "../../src/core/ulid.ts";

const eventCount = 2000;
const keysPerEvent = 100;

/** Fills a new SQLite store with audit events of imports whose retention has ended. Returns the setting of that retention. */
export async function addOldEvents(path: string): Promise<string> {
  const store = await openSqliteKeyStore({ path, clock: Date.now });
  for (let index = 0; index < eventCount; index += 1) {
    const timeMs = Date.now() - 10 * dayMs + index * 1000;
    const keyIds = Array.from({ length: keysPerEvent }, (_, key) => `${index}-${key}`.padStart(64, "0"));
    const eventId = createUlid(timeMs, (length) => Buffer.alloc(length, index % 256));
    const more = { changedFields: [], revocationReason: null, errorReason: null };
    const origin = { method: "AdminBatchImportApiKeys", caller: "tail", clientAddress: "127.0.0.1", requestId: "tail" };
    await store.audit.append(defaultTenant, [{ ...origin, ...more, eventId, timeMs, keyIds }]);
  }
  await store.close();
  return "1d";
}
