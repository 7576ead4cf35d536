import { invalidField } from "../error/failure.ts";
import type { KeyStatus } from "./key.ts";

export interface ListFilter {
  readonly actorId?: string;
  readonly status?: KeyStatus;
}

const statuses: Readonly<Record<string, KeyStatus>> = {
  KEY_STATUS_ACTIVE: "active",
  KEY_STATUS_REVOKED: "revoked",
  KEY_STATUS_EXPIRED: "expired",
};

/** One restriction, and what may stand between two: `field = value`, `AND`. */
const restriction = /\s*([A-Za-z_][\w.]*)\s*(!=|<=|>=|=|:|<|>)\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'()=<>:!]+)/y;
const conjunction = /\s+AND(?=\s)/y;

/**
 * Reads the part of AIP-160 that the indexes serve:
 *
 *     filter      = [ restriction { "AND" restriction } ]
 *     restriction = ( "actor_id" | "status" ) "=" value
 *     value       = quoted string | bare word
 *
 * Throws INVALID_REQUEST on `filter`, naming the column, for all else.
 */
export function parseFilter(text: string): ListFilter {
  let filter: ListFilter = {};
  if (text.trim() === "") return filter;
  for (let position = 0; ; ) {
    const match = matchAt(restriction, text, position);
    if (match === null) throw problem(position, 'expected a restriction such as actor_id="user_123" or status=KEY_STATUS_ACTIVE');
    filter = restrict(filter, match, position);
    position = restriction.lastIndex;
    if (text.slice(position).trim() === "") return filter;
    if (matchAt(conjunction, text, position) === null) throw problem(position, "expected AND; other operators are not supported");
    position = conjunction.lastIndex;
  }
}

function restrict(filter: ListFilter, [, field, operator, rawValue]: RegExpExecArray, position: number): ListFilter {
  if (field !== "actor_id" && field !== "status") throw problem(position, "only actor_id and status can be filtered on");
  if (operator !== "=") throw problem(position, "only the operator = is supported");
  const value = unquote(rawValue as string);
  if (field === "actor_id") {
    if (filter.actorId !== undefined) throw problem(position, "actor_id is restricted twice");
    return { ...filter, actorId: value };
  }
  const status = Object.hasOwn(statuses, value) ? statuses[value] : undefined;
  if (status === undefined) throw problem(position, `status must be one of ${Object.keys(statuses).join(", ")}`);
  if (filter.status !== undefined) throw problem(position, "status is restricted twice");
  return { ...filter, status };
}

function matchAt(pattern: RegExp, text: string, position: number): RegExpExecArray | null {
  pattern.lastIndex = position;
  return pattern.exec(text);
}

function unquote(value: string): string {
  return /^["']/.test(value) ? value.slice(1, -1).replaceAll(/\\(.)/g, "$1") : value;
}

function problem(position: number, text: string) {
  return invalidField("filter", `column ${position + 1}: ${text}`);
}
