import type { Collection, Filter, FindCursor, FindOptions } from "mongodb";
import type { KeyStatus } from "../../core/key.ts";
import { type KeyListPlan, matchingPart, neverMs, planList, type TimePlan, walkEnd } from "../../core/key-list-plan.ts";
import type { ListPart, ListQuery } from "../../ports/key-store.ts";
import { collectInTurns } from "../../turns.ts";
import { documentId, hourOf, idsAfter, type KeyDocument, recordOf } from "./document.ts";

/** Maximum keys read in one step: a record may be some 10 KB. */
export const maxKeysPerPart = 200;
/** Keys read in one step if the index also finds keys that do not match. */
const checkedPerPart = 100;
/** The same if only the expiry is checked: most keys match. */
const checkedExpiriesPerPart = 50;

/** The part of a status that the indexes of ids contain. Active and expired keys are told apart as they are read, so that a step ends. */
function statusFilter(status: KeyStatus | undefined): Filter<KeyDocument> {
  return { revoked: status === undefined ? { $in: [false, true] } : status === "revoked" };
}

/** How many keys to read in one step. */
function keysPerPart(plan: KeyListPlan, { status, limit }: ListQuery): number {
  if (!plan.isExact) return Math.max(checkedPerPart, limit);
  const isInOrderOfIds = plan.index === "key_id" || plan.index === "actor";
  return isInOrderOfIds && (status === "active" || status === "expired") ? Math.max(checkedExpiriesPerPart, limit) : limit;
}

interface Walk {
  readonly hint: string;
  readonly sort: Readonly<Record<string, 1 | -1>>;
  readonly filters: readonly Filter<KeyDocument>[];
}

type TimeField = "createTimeMs" | "expireTimeMs" | "useHour";
const timeIndexes: Readonly<Record<TimePlan["index"], { readonly field: TimeField; readonly hint: string }>> = {
  createTime: { field: "createTimeMs", hint: "keys_by_create_time" },
  expireTime: { field: "expireTimeMs", hint: "keys_by_expire_time" },
  lastUsedTime: { field: "useHour", hint: "keys_by_use" },
};

/**
 * The walk over one index. Its queries run one after the other until the page is full. Each walks the index in order, and only as far as
 * the page needs. The index is named, so that the planner does not try plans and cannot choose a worse one.
 */
function walkOf(tenant: string, query: ListQuery, plan: KeyListPlan): Walk {
  const { kind, afterKeyId = "" } = query;
  const ids = { _id: idsAfter(tenant, afterKeyId) };
  switch (plan.index) {
    case "key_id":
    case "actor": {
      const actor = query.actorId === undefined ? {} : { actorId: query.actorId };
      const hint = query.actorId === undefined ? "keys_by_kind" : "keys_by_actor";
      return { hint, sort: { _id: 1 }, filters: [{ kind, ...ids, ...statusFilter(query.status), ...actor }] };
    }
    case "disabled":
      return { hint: "keys_disabled", sort: { _id: 1 }, filters: [{ kind, disabled: true, ...ids }] };
    case "term":
      return { hint: "keys_by_term", sort: { _id: 1 }, filters: [{ tenant, kind, terms: plan.term, ...ids }] };
    case "name": {
      const range = { $gte: plan.from, ...(plan.until !== null && { $lt: plan.until }) };
      return {
        hint: "keys_by_name",
        sort: { name: 1, _id: 1 },
        filters: continued(tenant, query, { base: { tenant, kind }, field: "name", range, isDescending: false }),
      };
    }
    default: {
      const { field, hint } = timeIndexes[plan.index];
      const direction = plan.isDescending ? -1 : 1;
      const revoked = plan.isRevoked ?? { $in: [false, true] };
      const sort = { [field]: direction, _id: direction } as const;
      const range = rangeOf(plan);
      return {
        hint,
        sort,
        filters: continued(tenant, query, { base: { tenant, kind, revoked }, field, range, isDescending: plan.isDescending }),
      };
    }
  }
}

function rangeOf({ index, fromMs, untilMs }: TimePlan): object {
  // In the first and the last hour, the key itself shows whether it matches.
  if (index === "lastUsedTime") return { $gte: hourOf(fromMs), $lte: hourOf(untilMs) };
  return untilMs === Number.POSITIVE_INFINITY ? { $gte: fromMs } : { $gte: fromMs, $lt: untilMs };
}

interface RangeWalk {
  readonly base: Filter<KeyDocument>;
  readonly field: TimeField | "name";
  readonly range: object;
  readonly isDescending: boolean;
}

/** The whole range, or what follows the last key: first the keys with the same value, then the rest. */
function continued(
  tenant: string,
  { afterKeyId = "", afterValue }: ListQuery,
  { base, field, range, isDescending }: RangeWalk,
): Filter<KeyDocument>[] {
  if (afterValue === undefined) return [{ ...base, [field]: range }];
  const value = storedValue(afterValue, field);
  const _id = isDescending ? { $lt: documentId(tenant, afterKeyId) } : { $gt: documentId(tenant, afterKeyId) };
  const rest = { ...range, [isDescending ? "$lt" : "$gt"]: value };
  return [
    { ...base, [field]: value, _id },
    { ...base, [field]: rest },
  ];
}

/** The value of a position as the index stores it. */
function storedValue(afterValue: number | string, field: RangeWalk["field"]): number | string {
  if (afterValue === neverMs) return Number.POSITIVE_INFINITY;
  return field === "useHour" ? hourOf(afterValue as number) : afterValue;
}

/** The queries for one step of a list. */
export function listCursors(
  keys: Collection<KeyDocument>,
  tenant: string,
  query: ListQuery,
  signal?: AbortSignal,
): ((limit: number) => FindCursor<KeyDocument>)[] {
  const { hint, sort, filters } = walkOf(tenant, query, planList(query, query.nowMs));
  return filters.map((filter) => (limit) => {
    const options: FindOptions & { signal?: AbortSignal | undefined } = { sort, hint, limit, batchSize: limit, signal };
    return keys.find(filter, options as FindOptions) as FindCursor<KeyDocument>;
  });
}

export async function listKeys(keys: Collection<KeyDocument>, tenant: string, query: ListQuery, signal: AbortSignal): Promise<ListPart> {
  const plan = planList(query, query.nowMs);
  const limit = Math.min(keysPerPart(plan, query), maxKeysPerPart);
  const documents: KeyDocument[] = [];
  for (const cursor of listCursors(keys, tenant, query, signal)) {
    if (documents.length < limit) documents.push(...(await collectInTurns(cursor(limit - documents.length))));
  }
  const found = documents.map(recordOf);
  return matchingPart({ found, end: walkEnd(found, limit, plan.index) }, plan, query, query);
}
