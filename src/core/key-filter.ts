import { filterProblem, parseRestrictions, type Restriction } from "./filter.ts";
import type { KeyStatus } from "./key.ts";

export interface KeyFilter {
  readonly actorId?: string;
  readonly status?: KeyStatus;
}

const statuses: Readonly<Record<string, KeyStatus>> = {
  KEY_STATUS_ACTIVE: "active",
  KEY_STATUS_REVOKED: "revoked",
  KEY_STATUS_EXPIRED: "expired",
};

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
  const status = Object.hasOwn(statuses, value) ? statuses[value] : undefined;
  if (status === undefined) throw filterProblem(column, `status must be one of ${Object.keys(statuses).join(", ")}`);
  if (filter.status !== undefined) throw filterProblem(column, "duplicate restriction on status");
  return { ...filter, status };
}
