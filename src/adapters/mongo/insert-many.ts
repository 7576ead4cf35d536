import type { KeyRecord } from "../../core/key.ts";
import type { InsertOutcome, KeyStore, RequestMark } from "../../ports/key-store.ts";
import type { MongoDatabase } from "./database.ts";
import { markId } from "./document.ts";
import type { Inserts, MarkedItem } from "./inserts.ts";

interface Item {
  readonly record: KeyRecord;
  readonly request: RequestMark | null;
}

type Outcomes = Map<MarkedItem, InsertOutcome>;

/** Items that go one by one do so this many at a time. */
const maxConcurrentInserts = 16;

/**
 * `insertMany` from steps under a deadline each. Items without request ids are one bulk write. Those with them are one transaction where all
 * ids are free; request ids that are used are sorted out before, and what still collides goes item by item.
 */
export function createInsertMany(inserts: Inserts, run: MongoDatabase["run"]): KeyStore["insertMany"] {
  /** What the request ids in use answer, and all the rest in one transaction. The rest is given back where that failed. */
  async function insertTogether(tenant: string, items: readonly MarkedItem[], outcomes: Outcomes): Promise<MarkedItem[]> {
    const used = await run((signal) => inserts.usedRequests(tenant, items, signal));
    const fresh: MarkedItem[] = [];
    for (const item of items) {
      const outcome = used.get(markIdOf(tenant, item));
      if (outcome === undefined) fresh.push(item);
      else outcomes.set(item, outcome);
    }
    if (fresh.length === 0) return [];
    if (!(await run((signal) => inserts.insertAllMarked(tenant, fresh, signal)))) return fresh;
    for (const item of fresh) outcomes.set(item, { outcome: "inserted", record: item.record });
    return [];
  }

  async function insertOneByOne(tenant: string, items: readonly MarkedItem[], outcomes: Outcomes): Promise<void> {
    const insert = async (item: MarkedItem) => {
      outcomes.set(item, await run((signal) => inserts.insert(tenant, item.record, item.request, signal)));
    };
    const { apart, colliding } = partition(tenant, items);
    for (let start = 0; start < apart.length; start += maxConcurrentInserts) {
      await Promise.all(apart.slice(start, start + maxConcurrentInserts).map(insert));
    }
    for (const item of colliding) await insert(item);
  }

  async function insertMarked(tenant: string, given: readonly MarkedItem[]): Promise<InsertOutcome[]> {
    // Copies, since one object may be given twice and its outcomes differ.
    const items = given.map((item) => ({ ...item }));
    const outcomes: Outcomes = new Map();
    let left = await insertTogether(tenant, items, outcomes);
    // The same batch may just have been sent twice: then all its request ids are used by now.
    if (left.length > 0) left = await insertTogether(tenant, left, outcomes);
    await insertOneByOne(tenant, left, outcomes);
    return items.map((item) => outcomes.get(item) as InsertOutcome);
  }

  return async (tenant, items) => {
    const outcomes: InsertOutcome[] = [];
    for (const stretch of stretches(items)) {
      const isMarked = stretch[0]?.request !== null;
      const added = isMarked
        ? await insertMarked(tenant, stretch as MarkedItem[])
        : await run((signal) =>
            inserts.insertUnmarked(
              tenant,
              stretch.map(({ record }) => record),
              signal,
            ),
          );
      outcomes.push(...added);
    }
    return outcomes;
  };
}

/** Neighbours that all have a request id, or all have none: items with one id must be added in their order. */
function stretches(items: readonly Item[]): Item[][] {
  const found: Item[][] = [];
  for (const item of items) {
    const last = found.at(-1);
    if (last !== undefined && (last[0]?.request === null) === (item.request === null)) last.push(item);
    else found.push([item]);
  }
  return found;
}

/** Tells items that share an id with an earlier one from those whose order does not matter. */
function partition(tenant: string, items: readonly MarkedItem[]): { apart: MarkedItem[]; colliding: MarkedItem[] } {
  const seen = new Set<string>();
  const apart: MarkedItem[] = [];
  const colliding: MarkedItem[] = [];
  for (const item of items) {
    const ids = [`mark ${markIdOf(tenant, item)}`, `key ${item.record.keyId}`];
    (ids.some((id) => seen.has(id)) ? colliding : apart).push(item);
    for (const id of ids) seen.add(id);
  }
  return { apart, colliding };
}

function markIdOf(tenant: string, { record, request }: MarkedItem): string {
  return markId(tenant, record.kind, request.requestId);
}
