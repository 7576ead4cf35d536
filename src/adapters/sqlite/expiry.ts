import type { DatabaseSync } from "node:sqlite";
import { ulidTime } from "../../core/ulid.ts";
import type { Clock } from "../../ports/clock.ts";
import { markLifeMs } from "../../ports/key-store.ts";

/** Maximum rows removed in one transaction, a few milliseconds of work. An event that names more keys is removed alone. */
export const maxRowsPerStep = 128;
/** Maximum events read in one step. */
const maxEventsPerStep = 32;
/** Maximum tenants checked in one transaction. */
const maxTenantsPerStep = 100;

/**
 * Removes some of the audit events and request marks whose retention has ended by `clock` (see prepareRetentionClock). Returns false at the
 * end of a sweep. Call it in a transaction of its own, which runs it once: it remembers how far it came.
 */
export function prepareExpiry(database: DatabaseSync, clock: Clock, auditRetentionOf: (tenant: string) => number): () => boolean {
  // One seek for each tenant; DISTINCT would read all events.
  const selectTenant = database.prepare("SELECT tenant FROM audit_events WHERE tenant > ? ORDER BY tenant LIMIT 1");
  const selectEvents = database.prepare(
    `SELECT event_id, key_ids FROM audit_events WHERE tenant = ? AND event_id < ? ORDER BY event_id LIMIT ${maxEventsPerStep}`,
  );
  const deleteEvent = database.prepare("DELETE FROM audit_events WHERE tenant = ? AND event_id = ?");
  const deleteEventKey = database.prepare("DELETE FROM audit_event_keys WHERE tenant = ? AND key_id = ? AND event_id = ?");
  const deleteMarks = database.prepare(
    `DELETE FROM request_marks WHERE (tenant, kind, request_id) IN (
       SELECT tenant, kind, request_id FROM request_marks WHERE create_time_ms < ? ORDER BY create_time_ms LIMIT ${maxRowsPerStep})`,
  );

  /** Returns the number of rows removed. */
  function removeEvents(tenant: string, untilId: string): number {
    let rowCount = 0;
    for (const { event_id, key_ids } of selectEvents.all(tenant, untilId) as unknown as { event_id: string; key_ids: string }[]) {
      const keyIds = JSON.parse(key_ids) as string[];
      if (rowCount > 0 && rowCount + 1 + keyIds.length > maxRowsPerStep) break;
      deleteEvent.run(tenant, event_id);
      for (const keyId of keyIds) deleteEventKey.run(tenant, keyId, event_id);
      rowCount += 1 + keyIds.length;
    }
    return rowCount;
  }

  /** A sweep over all tenants. Each step ends with a `yield`. */
  function* sweep(): Generator<undefined, undefined> {
    const nowMs = clock();
    let tenant = "";
    for (let count = 1; ; count += 1) {
      const next = selectTenant.get(tenant) as { tenant: string } | undefined;
      if (next === undefined) break;
      tenant = next.tenant;
      while (removeEvents(tenant, ulidTime(nowMs - auditRetentionOf(tenant))) > 0) yield;
      if (count % maxTenantsPerStep === 0) yield;
    }
    while (deleteMarks.run(nowMs - markLifeMs).changes > 0) yield;
  }

  let steps = sweep();
  return () => {
    // A step that throws ends the sweep, and what it did not remove is left for the next one.
    const isOver = steps.next().done === true;
    if (isOver) steps = sweep();
    return !isOver;
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
