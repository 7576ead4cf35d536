import type { DatabaseSync } from "node:sqlite";
import { ulidTime } from "../../core/ulid.ts";
import type { Clock } from "../../ports/clock.ts";
import { markLifeMs } from "../../ports/key-store.ts";

/** Maximum events removed in one transaction; a few milliseconds of work, even if each event names many keys. */
const maxEvents = 32;
const maxMarks = 256;

/**
 * Removes some of the audit events and request marks whose retention has ended by `clock` (see prepareRetentionClock). Returns false if
 * none is left. Call it in a transaction.
 */
export function prepareExpiry(database: DatabaseSync, clock: Clock, auditRetentionOf: (tenant: string) => number): () => boolean {
  // One seek for each tenant; DISTINCT would read all events.
  const selectTenant = database.prepare("SELECT tenant FROM audit_events WHERE tenant > ? ORDER BY tenant LIMIT 1");
  const selectEvents = database.prepare(
    "SELECT event_id, key_ids FROM audit_events WHERE tenant = ? AND event_id < ? ORDER BY event_id LIMIT ?",
  );
  const deleteEvent = database.prepare("DELETE FROM audit_events WHERE tenant = ? AND event_id = ?");
  const deleteEventKey = database.prepare("DELETE FROM audit_event_keys WHERE tenant = ? AND key_id = ? AND event_id = ?");
  const deleteMarks = database.prepare(
    `DELETE FROM request_marks WHERE (tenant, kind, request_id) IN (
       SELECT tenant, kind, request_id FROM request_marks WHERE create_time_ms < ? ORDER BY create_time_ms LIMIT ?)`,
  );

  function removeEvents(tenant: string, untilId: string): number {
    const events = selectEvents.all(tenant, untilId, maxEvents) as unknown as { event_id: string; key_ids: string }[];
    for (const { event_id, key_ids } of events) {
      deleteEvent.run(tenant, event_id);
      for (const keyId of JSON.parse(key_ids) as string[]) deleteEventKey.run(tenant, keyId, event_id);
    }
    return events.length;
  }

  return () => {
    const nowMs = clock();
    for (let tenant = ""; ; ) {
      const next = selectTenant.get(tenant) as { tenant: string } | undefined;
      if (next === undefined) break;
      tenant = next.tenant;
      if (removeEvents(tenant, ulidTime(nowMs - auditRetentionOf(tenant))) > 0) return true;
    }
    return deleteMarks.run(nowMs - markLifeMs, maxMarks).changes > 0;
  };
}

/**
 * Removes expired data at an interval, in small steps, so that other work runs in between. If a step fails, it is tried again the next
 * time; callers' reads and writes report a store that is lost. Returns a function that stops it.
 */
export function startExpiry(removeSome: () => Promise<boolean>, intervalMs: number): () => void {
  let isStopped = false;
  const removeAll = async () => {
    for (let isMore = true; isMore && !isStopped; ) isMore = await removeSome();
  };
  let removing = Promise.resolve();
  const timer = setInterval(() => {
    removing = removing.then(removeAll).catch(() => {});
  }, intervalMs);
  timer.unref();
  return () => {
    isStopped = true;
    clearInterval(timer);
  };
}
