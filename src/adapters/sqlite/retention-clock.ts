import type { DatabaseSync } from "node:sqlite";
import type { Clock } from "../../ports/clock.ts";

const dayMs = 86_400_000;
/** How far the clock may run ahead of what is stored; what a restart can lose of it. */
const storeEveryMs = 3_600_000;
/** Older than any store: a clock that says less was never set. */
const earliestMs = Date.UTC(2025, 0, 1);
const storedName = "retention_time_ms";

/**
 * The time by which old audit events and request ids are removed: the wall clock, but at most one day more than has passed on the monotonic
 * clock since this process opened the store. A wall clock that is wrong for a while would otherwise erase everything in that while.
 *
 * By a clock that was never set, as on a machine that starts in 1970, nothing is removed.
 *
 * The time continues from where the previous process ended (in a store without such a time, from the newest event). After
 * a long pause it therefore lags behind, by a day less after each start, and events are kept that much longer. Call it in a transaction.
 */
export function prepareRetentionClock(database: DatabaseSync, clock: Clock, monotonicMs: () => number): Clock {
  const select = database.prepare("SELECT value FROM store WHERE name = ?");
  const upsert = database.prepare("INSERT INTO store (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value");
  const row = select.get(storedName) as { value: Uint8Array } | undefined;
  let storedMs = row === undefined ? 0 : Number(Buffer.from(row.value).toString());
  const knownMs = (row === undefined ? newestEventMs(database) : storedMs) || clock();
  /** Where the wall clock may at least be, with the monotonic clock of that moment. */
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

/** 0 if there are no events. One seek for each tenant. */
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
