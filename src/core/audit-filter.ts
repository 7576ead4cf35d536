import { filterProblem, parseRestrictions, type Restriction } from "./filter.ts";
import { parseRfc3339 } from "./rfc3339.ts";

export interface AuditFilter {
  readonly keyId?: string;
  readonly caller?: string;
  readonly method?: string;
  /** At this moment or later. */
  readonly fromMs?: number;
  /** Before this moment. */
  readonly untilMs?: number;
}

/** The member of the filter that a restriction sets, by its field and operator. */
const members: Readonly<Record<string, keyof AuditFilter>> = {
  "key_id =": "keyId",
  "caller =": "caller",
  "method =": "method",
  "event_time >=": "fromMs",
  "event_time <": "untilMs",
};

/**
 * Parses the filter of a list of audit events: `key_id`, `caller` and `method` with `=`, `event_time` with `>=` and `<`, each at most once.
 * Throws INVALID_REQUEST on `filter` for anything else.
 */
export function parseAuditFilter(text: string): AuditFilter {
  const restrictions = parseRestrictions(text, 'key_id="01HQZX9VYQKJB8XQZQXQZQXQXQ" or event_time>="2026-01-31T00:00:00Z"');
  return restrictions.reduce<AuditFilter>(restrict, {});
}

function restrict(filter: AuditFilter, { field, operator, value, column }: Restriction): AuditFilter {
  const name = `${field} ${operator}`;
  const member = Object.hasOwn(members, name) ? members[name] : undefined;
  if (member === undefined)
    throw filterProblem(column, "unsupported restriction; use key_id, caller or method with =, or event_time with >= and <");
  if (filter[member] !== undefined) throw filterProblem(column, `duplicate restriction ${name}`);
  return { ...filter, [member]: member === "fromMs" || member === "untilMs" ? timeMs(value, column) : value };
}

/** The time in whole milliseconds, as events have it. A fraction of a millisecond is rounded up, which is right for both operators. */
function timeMs(value: string, column: number): number {
  const milliseconds = parseRfc3339(value);
  if (milliseconds === null) throw filterProblem(column, 'event_time must be a quoted RFC 3339 time such as "2026-01-31T00:00:00Z"');
  return /\.\d{3}\d*[1-9]/.test(value) ? milliseconds + 1 : milliseconds;
}
