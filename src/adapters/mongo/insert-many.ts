import type { InsertOutcome } from "../../ports/key-store.ts";
import type { MongoDatabase } from "./database.ts";
import { addAll, insertParts } from "./insert-all.ts";
import { lookUp } from "./insert-look-up.ts";
import { addOne } from "./insert-one.ts";
import { type Insertion, type InsertParts, isCounted, type Outcomes, type Tombstones } from "./insertion.ts";

/**
 * Maximum attempts to add a whole batch in one step. New ids need one and used ids need two; ids that others add at the same time need
 * more.
 */
const maxAttempts = 4;
/** Maximum deadlines of an operation that an insert has. A store that has not answered until then has an outage. */
const maxDeadlines = 10;
/** Maximum concurrent insertions when keys are added one by one. */
const maxConcurrentInserts = 16;

/**
 * Adds keys in as few transactions as possible, each with the outcome it would have alone and in their order. If all ids are free, one
 * transaction is enough. If not, used ids and keys beyond the quota are left out of the next attempt. Ids that still collide are added one
 * by one. Each step has its own deadline.
 */
export function createInsertMany(parts: InsertParts, run: MongoDatabase["run"]) {
  /** Adds insertions that share no id. Returns those that still collide with others after some attempts. */
  async function addTogether(tenant: string, insertions: readonly Insertion[], outcomes: Outcomes): Promise<readonly Insertion[]> {
    let left = insertions;
    let room = Number.POSITIVE_INFINITY;
    let tombstones: Tombstones = new Map();
    for (let attempt = 0; attempt < maxAttempts && left.length > 0; attempt += 1) {
      const asked = left.slice(0, room);
      // A whole batch under one deadline would be tried again and again, to no end, on a store that needs longer for it.
      const deadlines = Math.min(maxDeadlines, insertParts(asked).length);
      const added = await run((signal) => addAll(parts, tenant, asked, tombstones, signal), deadlines);
      const isDone = added instanceof Map;
      const found = isDone ? { outcomes: added, tombstones } : await run((signal) => lookUp(parts, tenant, left, signal));
      for (const [insertion, outcome] of found.outcomes) outcomes.set(insertion, outcome);
      left = left.filter((insertion) => !outcomes.has(insertion));
      tombstones = found.tombstones;
      if (added === null || isDone) continue;
      room = added.limit - added.used;
      if (room > 0) continue;
      // Records that do not count, such as that of a tenant, need no room.
      for (const insertion of left.filter(isCounted)) outcomes.set(insertion, { outcome: "quota_exhausted", ...added });
      left = left.filter((insertion) => !outcomes.has(insertion));
      room = Number.POSITIVE_INFINITY;
    }
    return left;
  }

  /** Looks up the ids, and notes the outcomes of insertions whose ids are used. Returns the other insertions. */
  async function withoutUsed(tenant: string, insertions: readonly Insertion[], outcomes: Outcomes): Promise<Insertion[]> {
    const found = await run((signal) => lookUp(parts, tenant, insertions, signal));
    for (const [insertion, outcome] of found.outcomes) {
      // Not final: an earlier insertion may take this request id, and then that is the outcome instead of the used key id.
      if (outcome.outcome === "request_id_used" || insertion.request === null) outcomes.set(insertion, outcome);
    }
    return insertions.filter((insertion) => !outcomes.has(insertion));
  }

  return async (tenant: string, insertions: readonly Insertion[]): Promise<InsertOutcome[]> => {
    const outcomes: Outcomes = new Map();
    const addAlone = async (insertion: Insertion) => {
      outcomes.set(insertion, await run((signal) => addOne(parts, tenant, insertion, signal)));
    };
    let waiting = insertions;
    while (waiting.length > 0) {
      const { apart, colliding } = partition(waiting);
      const left = await addTogether(tenant, apart, outcomes);
      for (let start = 0; start < left.length; start += maxConcurrentInserts) {
        await Promise.all(left.slice(start, start + maxConcurrentInserts).map(addAlone));
      }
      waiting = colliding.length === 0 ? colliding : await withoutUsed(tenant, colliding, outcomes);
    }
    return insertions.map((insertion) => outcomes.get(insertion) as InsertOutcome);
  };
}

/** Separates insertions that share an id with an earlier one from those whose order does not matter. */
function partition(insertions: readonly Insertion[]): { apart: Insertion[]; colliding: Insertion[] } {
  const keyIds = new Set<string>();
  const requestIds = new Set<string>();
  const apart: Insertion[] = [];
  const colliding: Insertion[] = [];
  for (const insertion of insertions) {
    const { record, request } = insertion;
    const requestId = request === null ? null : `${record.kind} ${request.requestId}`;
    const isColliding = keyIds.has(record.keyId) || (requestId !== null && requestIds.has(requestId));
    (isColliding ? colliding : apart).push(insertion);
    keyIds.add(record.keyId);
    if (requestId !== null) requestIds.add(requestId);
  }
  return { apart, colliding };
}
