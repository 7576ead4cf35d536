import { filterProblem, parseRestrictions, type Restriction } from "./filter.ts";
import type { KeyStatus } from "./key.ts";

export interface KeyFilter {
  readonly actorId?: string;
  readonly status?: KeyStatus;
}

/** The statuses by their names in proto. */
const statusNames: Readonly<Record<KeyStatus, string>> = {
  active: "KEY_STATUS_ACTIVE",
  revoked: "KEY_STATUS_REVOKED",
  expired: "KEY_STATUS_EXPIRED",
};
const statuses = Object.keys(statusNames) as KeyStatus[];

/**
 * Parses the filter of a list of keys: `actor_id` and `status` with `=`, each at most once. Throws INVALID_REQUEST on `filter` for anything
 * else.
 */
export function parseKeyFilter(text: string): KeyFilter {
  const restrictions = parseRestrictions(text, 'actor_id="user_123" or status=KEY_STATUS_ACTIVE');
  return restrictions.reduce<KeyFilter>(restrict, {});
}

function restrict(filter: KeyFilter, { field, operator, value, column }: Restriction): KeyFilter {
  if (field !== "actor_id" && field !== "status") throw filterProblem(column, "unsupported field; use actor_id or status");
  if (operator !== "=") throw filterProblem(column, "unsupported operator; use =");
  if (field === "actor_id") {
    if (filter.actorId !== undefined) throw filterProblem(column, "duplicate restriction on actor_id");
    return { ...filter, actorId: value };
  }
  const status = statuses.find((each) => statusNames[each] === value);
  if (status === undefined) throw filterProblem(column, `status must be one of ${Object.values(statusNames).join(", ")}`);
  if (filter.status !== undefined) throw filterProblem(column, "duplicate restriction on status");
  return { ...filter, status };
}
