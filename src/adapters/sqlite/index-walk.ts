import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { filterMembers } from "../../core/key-filter.ts";
import {
  type KeyListPlan,
  matchingPart,
  neverMs,
  planList,
  type TimePlan,
  termsIn,
  type Walked,
  walkEnd,
} from "../../core/key-list-plan.ts";
import type { ListPart, ListQuery } from "../../ports/key-store.ts";
import { isOfPage, maxRecordsPerStep, prepareListById } from "./list.ts";
import { disabledReason, recordOfRow, recordSelection, rowStatements } from "./row.ts";

type TimeIndex = TimePlan["index"];

/** The value that an index sorts by, as the schema writes it, and the name of the index. */
const timeIndexes: Readonly<Record<TimeIndex, { readonly value: string; readonly name: string }>> = {
  createTime: { value: "create_time_ms", name: "keys_by_create_time" },
  expireTime: { value: `ifnull(expire_time_ms, ${neverMs})`, name: "keys_by_expire_time" },
  lastUsedTime: { value: "ifnull(last_used_time_ms, create_time_ms)", name: "keys_by_use" },
};

/** Selects the statement that walks an index. */
export interface WalkShape {
  readonly index: TimeIndex | "name" | "term" | "disabled";
  readonly isDescending: boolean;
  /** Undefined: both revoked keys and others. */
  readonly isRevoked: boolean | undefined;
  /** `all` starts at the first key. A walk that continues takes the keys with the `same` value as the last one, then the `rest`. */
  readonly part: "all" | "same" | "rest";
}

/** The slot of a key that a term finds: the index of terms does not hold it. */
const slotOfTerm = `ifnull(
      (SELECT slot FROM keys AS away INDEXED BY keys_away WHERE slot < 0 AND tenant = $tenant AND key_id = page.key_id),
      home_slot($tenant, page.key_id))`;

/**
 * The statement for one part of a walk. It seeks in an index and merges revoked keys with the others, both in order: it needs no sort and
 * reads no further than the limit.
 */
export function walkSql(shape: WalkShape): string {
  const direction = shape.isDescending ? "DESC" : "ASC";
  const columns = shape.part === "same" || shape.index === "term" || shape.index === "disabled" ? ["key_id"] : ["value", "key_id"];
  const order = (table: string) => columns.map((column) => `${table}${column} ${direction}`).join(", ");
  return `SELECT ${recordSelection}
    FROM (${branchesOf(shape).join("\n    UNION ALL ")} ORDER BY ${order("")} LIMIT $limit) AS page
    CROSS JOIN keys ON keys.slot = ${shape.index === "term" ? slotOfTerm : "page.slot"} AND ${isOfPage}
    ORDER BY ${order("page.")}`;
}

function branchesOf({ index, isDescending, isRevoked, part }: WalkShape): string[] {
  if (index === "term") {
    return ["SELECT key_id FROM key_terms WHERE tenant = $tenant AND kind = $kind AND term = $term AND key_id > $afterKeyId"];
  }
  if (index === "disabled") {
    return [
      `SELECT key_id, slot FROM keys INDEXED BY keys_disabled
        WHERE tenant = $tenant AND kind = $kind AND revocation_reason = '${disabledReason}' AND key_id > $afterKeyId`,
    ];
  }
  const { value, name } = index === "name" ? { value: "name", name: "keys_by_name" } : timeIndexes[index];
  const flags = index === "name" ? [""] : [0, 1].filter((flag) => isRevoked !== !flag).map((flag) => ` AND revoked = ${flag}`);
  const lowest = part === "rest" && !isDescending ? "> $afterValue" : ">= $from";
  const highest = part === "rest" && isDescending ? "< $afterValue" : "< $until";
  const range =
    part === "same"
      ? `${value} = $afterValue AND key_id ${isDescending ? "<" : ">"} $afterKeyId`
      : `${value} ${lowest} AND ${value} ${highest}`;
  return flags.map(
    (flag) =>
      `SELECT key_id, slot, ${value} AS value FROM keys INDEXED BY ${name} WHERE tenant = $tenant AND kind = $kind${flag} AND ${range}`,
  );
}

export function prepareList(database: DatabaseSync): (tenant: string, query: ListQuery) => ListPart {
  const listById = prepareListById(database);
  const statementOf = rowStatements(database);

  function walk(tenant: string, query: ListQuery, plan: KeyListPlan, limit: number): Walked {
    if (plan.index === "key_id" || plan.index === "actor") {
      const { records, lastKeyId } = listById(tenant, { ...query, limit }, plan.index === "actor" ? (termsIn(query)[0] ?? null) : null);
      return { found: records, end: lastKeyId === null ? null : { afterKeyId: lastKeyId } };
    }
    const { kind, afterKeyId = "", afterValue } = query;
    const given = { tenant, kind, afterKeyId, afterValue: afterValue ?? null, ...boundsOf(plan) };
    const rows = [];
    for (const part of afterValue === undefined ? (["all"] as const) : (["same", "rest"] as const)) {
      if (rows.length < limit) rows.push(...statementOf(walkSql(shapeOf(plan, part))).all({ ...given, limit: limit - rows.length }));
    }
    const found = rows.map(recordOfRow);
    return { found, end: walkEnd(found, limit, plan.index) };
  }

  return (tenant, query) => {
    const plan = planList(query, query.nowMs);
    const limit = plan.isExact || isActorAndTerm(query) ? Math.min(query.limit, maxRecordsPerStep) : maxRecordsPerStep;
    return matchingPart(walk(tenant, query, plan, limit), plan, query, query);
  };
}

/** Reports whether `listById` finds by all that is asked for. It takes one term: further ones are checked later. */
function isActorAndTerm(query: ListQuery): boolean {
  if (query.order !== undefined || query.actorId === undefined || termsIn(query).length !== 1) return false;
  const found = ["actorId", "status", "scopes", "metadata"];
  return filterMembers.every((member) => found.includes(member) || query[member] === undefined);
}

type WalkPlan = Exclude<KeyListPlan, { readonly index: "key_id" } | { readonly index: "actor" }>;

function shapeOf(plan: WalkPlan, part: WalkShape["part"]): WalkShape {
  const { index } = plan;
  if (index === "term" || index === "name" || index === "disabled") return { index, isDescending: false, isRevoked: undefined, part };
  return { index, isDescending: plan.isDescending, isRevoked: plan.isRevoked, part };
}

function boundsOf(plan: WalkPlan): Record<string, SQLInputValue> {
  if (plan.index === "term") return { term: plan.term };
  if (plan.index === "disabled") return {};
  // A BLOB sorts after every text.
  if (plan.index === "name") return { from: plan.from, until: plan.until ?? Buffer.alloc(0) };
  return { from: plan.fromMs, until: plan.untilMs };
}
