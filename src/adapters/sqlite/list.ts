import type { DatabaseSync } from "node:sqlite";
import type { KeyStatus } from "../../core/key.ts";
import type { ListPart, ListQuery } from "../../ports/key-store.ts";
import { recordOfRow, recordSelection } from "./row.ts";

/** Must agree with `statusAt` in the core. An index can seek a status unless the status changes with the clock. */
const conditions: Readonly<Record<KeyStatus, { readonly sql: string; readonly isSeekable: boolean }>> = {
  active: { sql: "revoked = 0 AND (expire_time_ms IS NULL OR expire_time_ms > $nowMs)", isSeekable: false },
  expired: { sql: "revoked = 0 AND expire_time_ms <= $nowMs", isSeekable: false },
  revoked: { sql: "revoked = 1", isSeekable: true },
};

const statuses = [undefined, ...(Object.keys(conditions) as KeyStatus[])];

/** Maximum keys checked in one step: about a millisecond of work, during which nothing else runs. */
export const maxKeysPerStep = 2000;
/** Maximum records read in one step: a record may be some 10 KB. */
const maxRecordsPerStep = 100;
/** Sorts after every key id. */
const afterAllIds = "\u{10ffff}";

function indexOf(byActor: boolean): string {
  return `keys_by_${byActor ? "actor" : "kind"}_and_status`;
}

/**
 * The statement for one combination of filters. It takes the page's key ids from an index that holds everything its filter needs, in order
 * and no further than the page, then reads their records. The index is named because the planner has no statistics: it would choose the
 * primary key for every filter and check every key. Without a status it merges the two halves of the index, both in order.
 */
export function listSql(byActor: boolean, status: KeyStatus | undefined): string {
  const wanted = ["tenant = $tenant", "kind = $kind", "key_id > $afterKeyId", "key_id <= $untilKeyId"];
  if (byActor) wanted.push("actor_id = $actorId");
  const halves = status === undefined ? ["revoked = 0", "revoked = 1"] : [conditions[status].sql];
  const found = halves.map((half) => `SELECT key_id FROM keys INDEXED BY ${indexOf(byActor)} WHERE ${[...wanted, half].join(" AND ")}`);
  return `SELECT ${recordSelection}
    FROM (${found.join("\n    UNION ALL ")} ORDER BY key_id LIMIT $limit) AS page
    CROSS JOIN keys ON keys.tenant = $tenant AND keys.key_id = page.key_id
    ORDER BY page.key_id`;
}

/**
 * Finds the last key of a step; returns nothing if the step reaches the end. Used for statuses that an index cannot seek because they
 * change with the clock.
 */
export function stepSql(byActor: boolean): string {
  const wanted = ["tenant = $tenant", "kind = $kind", "revoked = 0", "key_id > $afterKeyId"];
  if (byActor) wanted.push("actor_id = $actorId");
  return `SELECT key_id FROM keys INDEXED BY ${indexOf(byActor)}
    WHERE ${wanted.join(" AND ")} ORDER BY key_id LIMIT 1 OFFSET ${maxKeysPerStep - 1}`;
}

/** Lists by key id, or by actor and key id. */
export function prepareListById(database: DatabaseSync): (tenant: string, query: ListQuery) => ListPart {
  const prepare = (sql: string) => {
    const statement = database.prepare(sql);
    statement.setAllowUnknownNamedParameters(true);
    return statement;
  };
  const prepareAll = (byActor: boolean) => ({
    lists: new Map(statuses.map((status) => [status, prepare(listSql(byActor, status))] as const)),
    step: prepare(stepSql(byActor)),
  });
  const ofActor = prepareAll(true);
  const ofEveryone = prepareAll(false);
  return (tenant, query) => {
    const { kind, actorId = "", status, afterKeyId = "", nowMs } = query;
    const { lists, step } = query.actorId === undefined ? ofEveryone : ofActor;
    const statement = lists.get(status);
    if (statement === undefined) throw new Error("no list for this status");
    const limit = Math.min(query.limit, maxRecordsPerStep);
    const given = { tenant, kind, actorId, afterKeyId };
    const isSeekable = status === undefined || conditions[status].isSeekable;
    const last = isSeekable ? undefined : (step.get(given) as { key_id: string } | undefined);
    const records = statement.all({ ...given, untilKeyId: last?.key_id ?? afterAllIds, nowMs, limit }).map(recordOfRow);
    return { records, lastKeyId: records.length === limit ? (records.at(-1)?.keyId ?? null) : (last?.key_id ?? null) };
  };
}
