import { filterProblem, isComparison, parseRestrictions, type Restriction } from "./filter.ts";
import { type TimeRange, timeRangeOf } from "./time-range.ts";

/** The range is that of the time of the event. */
export interface AuditFilter extends TimeRange {
  readonly keyId?: string;
  readonly caller?: string;
  readonly method?: string;
}

/** The member of the filter that a restriction sets, by its field. */
const members: Readonly<Record<string, "keyId" | "caller" | "method">> = { key_id: "keyId", caller: "caller", method: "method" };

/**
 * Parses the filter of a list of audit events: `key_id`, `caller` and `method` with `=`, each at most once, and `event_time` with `<`, `<=`,
 * `>` and `>=`, each end at most once. Throws INVALID_REQUEST on `filter` for anything else.
 */
export function parseAuditFilter(text: string): AuditFilter {
  const restrictions = parseRestrictions(text, 'key_id="01HQZX9VYQKJB8XQZQXQZQXQXQ" or event_time>="2026-01-31T00:00:00Z"');
  return restrictions.reduce(restrict, {});
}

function restrict(filter: AuditFilter, restriction: Restriction): AuditFilter {
  const more = parseOne(restriction);
  const isDuplicate = Object.keys(more).some((member) => Object.hasOwn(filter, member));
  if (isDuplicate) throw filterProblem(restriction.column, `duplicate restriction on ${restriction.field}`);
  return { ...filter, ...more };
}

function parseOne({ field, operator, value, column }: Restriction): AuditFilter {
  const member = Object.hasOwn(members, field) ? members[field] : undefined;
  if (member !== undefined && operator === "=") return { [member]: value };
  if (field === "event_time" && isComparison(operator)) {
    const range = timeRangeOf(operator, value);
    if (range !== null) return range;
    throw filterProblem(column, 'event_time must be compared with an RFC 3339 time such as "2026-01-31T00:00:00Z"');
  }
  throw filterProblem(column, "unsupported restriction; use key_id, caller or method with =, or event_time with <, <=, > or >=");
}
