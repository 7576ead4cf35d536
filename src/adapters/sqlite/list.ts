import type { DatabaseSync } from "node:sqlite";
import type { KeyStatus } from "../../core/key.ts";
import type { ListPart, ListQuery } from "../../ports/key-store.ts";
import { recordOfRow, recordSelection, rowStatements } from "./row.ts";

/** Must agree with `statusAt` in the core. An index can seek a status unless the status changes with the clock. */
const conditions: Readonly<Record<KeyStatus, { readonly sql: string; readonly isSeekable: boolean }>> = {
  active: { sql: "revoked = 0 AND (expire_time_ms IS NULL OR expire_time_ms > $nowMs)", isSeekable: false },
  expired: { sql: "revoked = 0 AND expire_time_ms <= $nowMs", isSeekable: false },
  revoked: { sql: "revoked = 1", isSeekable: true },
};

/** Maximum keys checked in one step: about a millisecond of work, during which nothing else runs. */
export const maxKeysPerStep = 2000;
/** The same if a term of each key is looked up. */
export const maxLookUpsPerStep = 500;
/** Maximum records read in one step: a record may be some 10 KB. */
export const maxRecordsPerStep = 100;
/** A list shows no other key that lies in the slot, such as one of another tenant, even if an index of a damaged file is wrong. */
export const isOfPage = "keys.tenant = $tenant AND keys.key_id = page.key_id";
/** Sorts after every key id. */
const afterAllIds = "\u{10ffff}";

/** Selects the statements of a list by key id. */
export interface ListShape {
  readonly byActor: boolean;
  /** Only keys with a term (core's `termsOf`). It is looked up for each key of the actor: an actor has far fewer keys than a term. */
  readonly byTerm: boolean;
  readonly status: KeyStatus | undefined;
}

/** Selects key ids, and slots, from the halves of an index that hold these keys: those that are not revoked, and the revoked ones. */
function selectIds(byActor: boolean, halves: readonly string[], others: readonly string[]): string {
  const wanted = ["tenant = $tenant", "kind = $kind", "key_id > $afterKeyId", ...others];
  if (byActor) wanted.push("actor_id = $actorId");
  const index = `keys_by_${byActor ? "actor" : "kind"}_and_status`;
  return halves
    .map((half) => `SELECT key_id, slot FROM keys INDEXED BY ${index} WHERE ${[...wanted, half].join(" AND ")}`)
    .join("\n    UNION ALL ");
}

const hasTerm =
  "EXISTS (SELECT 1 FROM key_terms WHERE tenant = $tenant AND kind = $kind AND term = $term AND key_terms.key_id = keys.key_id)";

/**
 * The statement for one combination of filters. It takes the page's key ids from an index that holds everything its filter needs, in order
 * and no further than the page, then reads their records. The index is named because the planner has no statistics: it would choose the
 * primary key for every filter and check every key. Without a status it merges the two halves of the index, both in order.
 */
export function listSql({ byActor, byTerm, status }: ListShape): string {
  const halves = status === undefined ? ["revoked = 0", "revoked = 1"] : [conditions[status].sql];
  const found = selectIds(byActor, halves, ["key_id <= $untilKeyId", ...(byTerm ? [hasTerm] : [])]);
  return `SELECT ${recordSelection}
    FROM (${found} ORDER BY key_id LIMIT $limit) AS page
    CROSS JOIN keys ON keys.slot = page.slot AND ${isOfPage}
    ORDER BY page.key_id`;
}

/**
 * Finds the last key of a step; returns nothing if the step reaches the end. Null if an index can seek everything: a status that changes
 * with the clock, and a term, must be checked on each key.
 */
export function stepSql({ byActor, byTerm, status }: ListShape): string | null {
  if (!byTerm && (status === undefined || conditions[status].isSeekable)) return null;
  const halves = status === undefined ? ["revoked = 0", "revoked = 1"] : [`revoked = ${status === "revoked" ? 1 : 0}`];
  return `${selectIds(byActor, halves, [])} ORDER BY key_id LIMIT 1 OFFSET ${(byTerm ? maxLookUpsPerStep : maxKeysPerStep) - 1}`;
}

/** Lists by key id, or by actor and key id. With `term`, lists only keys of the actor that have it. */
export function prepareListById(database: DatabaseSync): (tenant: string, query: ListQuery, term: string | null) => ListPart {
  const statementOf = rowStatements(database);
  return (tenant, query, term) => {
    const { kind, actorId = "", status, afterKeyId = "", nowMs } = query;
    const shape: ListShape = { byActor: query.actorId !== undefined, byTerm: term !== null, status };
    const limit = Math.min(query.limit, maxRecordsPerStep);
    const given = { tenant, kind, actorId, afterKeyId, term };
    const step = stepSql(shape);
    const last = step === null ? undefined : (statementOf(step).get(given) as [keyId: string] | undefined);
    const untilKeyId = last?.[0] ?? afterAllIds;
    const records = statementOf(listSql(shape))
      .all({ ...given, untilKeyId, nowMs, limit })
      .map(recordOfRow);
    return { records, lastKeyId: records.length === limit ? (records.at(-1)?.keyId ?? null) : (last?.[0] ?? null) };
  };
}
