import type { KeyRecord } from "../../core/key.ts";
import type { InsertOutcome, KeyStore, RequestMark } from "../../ports/key-store.ts";
import type { MongoDatabase } from "./database.ts";
import { markId } from "./document.ts";
import type { Inserts, MarkedItem } from "./inserts.ts";

interface Item {
  readonly record: KeyRecord;
  readonly request: RequestMark | null;
}

/** Items that go one by one do so this many at a time. */
const maxConcurrentInserts = 16;

/**
 * `insertMany` from steps under a deadline each. Items without request ids are one bulk write. Those with them are one transaction where all
 * ids are free; request ids that are used are sorted out before, and what still collides goes item by item.
 */
export function createInsertMany(inserts: Inserts, run: MongoDatabase["run"]): KeyStore["insertMany"] {
  async function insertMarked(tenant: string, items: readonly MarkedItem[]): Promise<InsertOutcome[]> {
    const idOf = ({ record, request }: MarkedItem) => markId(tenant, record.kind, request.requestId);
    const used = await run((signal) => inserts.usedRequests(tenant, items, signal));
    const fresh = items.filter((item) => !used.has(idOf(item)));
    const areAllIn = fresh.length > 0 && (await run((signal) => inserts.insertAllMarked(tenant, fresh, signal)));
    const outcomes = new Map<MarkedItem, InsertOutcome>();
    if (areAllIn) for (const item of fresh) outcomes.set(item, { outcome: "inserted", record: item.record });
    else {
      const one = async (item: MarkedItem) => {
        outcomes.set(item, await run((signal) => inserts.insert(tenant, item.record, item.request, signal)));
      };
      const { apart, colliding } = partition(fresh, idOf);
      for (let start = 0; start < apart.length; start += maxConcurrentInserts) {
        await Promise.all(apart.slice(start, start + maxConcurrentInserts).map(one));
      }
      for (const item of colliding) await one(item);
    }
    return items.map((item) => (outcomes.get(item) ?? used.get(idOf(item))) as InsertOutcome);
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
function partition(items: readonly MarkedItem[], idOf: (item: MarkedItem) => string): { apart: MarkedItem[]; colliding: MarkedItem[] } {
  const seen = new Set<string>();
  const apart: MarkedItem[] = [];
  const colliding: MarkedItem[] = [];
  for (const item of items) {
    const ids = [`mark ${idOf(item)}`, `key ${item.record.keyId}`];
    (ids.some((id) => seen.has(id)) ? colliding : apart).push(item);
    for (const id of ids) seen.add(id);
  }
  return { apart, colliding };
}
