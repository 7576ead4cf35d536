import type { DatabaseSync } from "node:sqlite";
import { dayMs, hourMs } from "../../core/time-units.ts";
import type { Clock } from "../../ports/clock.ts";

/** How far the clock may run ahead of the stored time. A restart can lose this much. */
const storeEveryMs = hourMs;
/** Older than any store. A clock before this was never set. */
const earliestMs = Date.UTC(2025, 0, 1);
const storedName = "retention_time_ms";

/**
 * The time by which old audit events and request ids are removed. It is the wall clock, but at most one day ahead of the time that has
 * passed on the monotonic clock since this process opened the store. Otherwise a wall clock that is wrong for a while would erase
 * everything in that while.
 *
 * If the clock was never set, as on a machine that starts in 1970, nothing is removed.
 *
 * The time continues from where the previous process ended, or from the newest event if the store has no such time. So after a long pause
 * it lags behind, by a day less after each start, and events are kept that much longer. Call it in a transaction.
 */
export function prepareRetentionClock(database: DatabaseSync, clock: Clock, monotonicMs: () => number): Clock {
  const select = database.prepare("SELECT value FROM store WHERE name = ?");
  const upsert = database.prepare("INSERT INTO store (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value");
  const row = select.get(storedName) as { value: Uint8Array } | undefined;
  let storedMs = row === undefined ? 0 : Number(Buffer.from(row.value).toString());
  const knownMs = (row === undefined ? newestEventMs(database) : storedMs) || clock();
  /** The minimum time of the wall clock, with the monotonic clock at that moment. */
  let start = knownMs >= earliestMs ? { wallMs: knownMs, monotonicMs: monotonicMs() } : null;

  return () => {
    const wallMs = clock();
    if (!(wallMs >= earliestMs)) return 0;
    start ??= { wallMs, monotonicMs: monotonicMs() };
    const nowMs = Math.min(wallMs, start.wallMs + dayMs + (monotonicMs() - start.monotonicMs));
    if (nowMs - storedMs >= storeEveryMs) {
      upsert.run(storedName, Buffer.from(String(nowMs)));
      storedMs = nowMs;
    }
    return nowMs;
  };
}

/** Returns 0 if there are no events. One seek per tenant. */
function newestEventMs(database: DatabaseSync): number {
  const selectTenant = database.prepare("SELECT tenant FROM audit_events WHERE tenant > ? ORDER BY tenant LIMIT 1");
  const selectNewest = database.prepare("SELECT time_ms FROM audit_events WHERE tenant = ? ORDER BY event_id DESC LIMIT 1");
  let newestMs = 0;
  for (let tenant = ""; ; ) {
    const next = selectTenant.get(tenant) as { tenant: string } | undefined;
    if (next === undefined) return newestMs;
    tenant = next.tenant;
    const { time_ms } = selectNewest.get(tenant) as { time_ms: number };
    newestMs = Math.max(newestMs, time_ms);
  }
}
