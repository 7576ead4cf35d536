import type { KeyRecord } from "./key.ts";
import { filterMembers, type KeyFilter, type KeySelection, matchesFilter } from "./key-filter.ts";
import { metadataTerm, scopeTerm } from "./key-terms.ts";
import type { TimeRange } from "./time-range.ts";

/** How a list finds its keys: the one index that it walks, in that index's order. */
export type KeyListPlan =
  | { readonly index: "key_id"; readonly isExact: boolean }
  | { readonly index: "actor"; readonly isExact: boolean }
  | { readonly index: "disabled"; readonly isExact: boolean }
  | { readonly index: "term"; readonly term: string; readonly isExact: boolean }
  | { readonly index: "name"; readonly from: string; readonly until: string | null; readonly isExact: boolean }
  | TimePlan;

/** A walk in the order of a time. An index keeps revoked keys apart from the others. */
export interface TimePlan {
  readonly index: "createTime" | "expireTime" | "lastUsedTime";
  readonly fromMs: number;
  readonly untilMs: number;
  /** Undefined: both revoked keys and others. */
  readonly isRevoked: boolean | undefined;
  readonly isDescending: boolean;
  /** True if the index alone shows which keys match. */
  readonly isExact: boolean;
}

/** Represents "never" in the order of expiry: after every time. */
export const neverMs = Number.MAX_SAFE_INTEGER;

/**
 * The terms that the filter names, by which an index finds keys. The first probably finds the fewest: metadata before scopes, then as
 * written, so that a caller can begin with the rarest.
 */
export function termsIn({ metadata = [], scopes = [] }: KeyFilter): string[] {
  return [...metadata.map(([member, text]) => metadataTerm(member, text)), ...scopes.map(scopeTerm)];
}

/** Chooses the index that probably finds the fewest keys. Restrictions that the index does not cover are checked on each key. */
export function planList(selection: KeySelection, nowMs: number): KeyListPlan {
  const { order, ...filter } = selection;
  const { actorId, name, disabled } = filter;
  const terms = termsIn(filter);
  const holds = (...members: (keyof KeyFilter)[]) => filterMembers.every((each) => members.includes(each) || filter[each] === undefined);
  if (order !== undefined) return timePlan(order.by, order.isDescending, filter, nowMs);
  if (actorId !== undefined) return { index: "actor", isExact: holds("actorId", "status") };
  if (name !== undefined) {
    const until = name.isPrefix ? afterPrefix(name.text) : `${name.text}\0`;
    return { index: "name", from: name.text, until, isExact: holds("name") };
  }
  if (disabled !== undefined) return { index: "disabled", isExact: holds("disabled") };
  if (terms[0] !== undefined) return { index: "term", term: terms[0], isExact: terms.length === 1 && holds("metadata", "scopes") };
  for (const index of ["expireTime", "lastUsedTime", "createTime"] as const) {
    if (filter[index] !== undefined) return timePlan(index, false, filter, nowMs);
  }
  return { index: "key_id", isExact: true };
}

function timePlan(index: TimePlan["index"], isDescending: boolean, filter: KeyFilter, nowMs: number): TimePlan {
  const range: TimeRange = filter[index] ?? {};
  const { status } = filter;
  const isOther = filterMembers.some((member) => member !== "status" && member !== index && filter[member] !== undefined);
  let fromMs = range.fromMs ?? Number.MIN_SAFE_INTEGER;
  // Only keys with an expiry match a range of expiries.
  let untilMs = range.untilMs ?? (index === "expireTime" && filter.expireTime !== undefined ? neverMs : Number.POSITIVE_INFINITY);
  if (index === "expireTime" && status === "active") fromMs = Math.max(fromMs, nowMs + 1);
  if (index === "expireTime" && status === "expired") untilMs = Math.min(untilMs, nowMs + 1);
  const isStatusHeld = status === undefined || status === "revoked" || index === "expireTime";
  const isRevoked = status === undefined ? undefined : status === "revoked";
  return { index, fromMs, untilMs, isRevoked, isDescending, isExact: !isOther && isStatusHeld };
}

/** Returns the first text after all those that begin with the prefix, by code points. Null if there is none. */
function afterPrefix(prefix: string): string | null {
  const points = Array.from(prefix, (character) => character.codePointAt(0) as number);
  while (points.at(-1) === 0x10ffff) points.pop();
  const last = points.pop();
  if (last === undefined) return null;
  // Surrogates are not characters.
  return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
}

/**
 * Where a list continues: after this key, which has this value in the index. The value is needed only if keys are not in the order of their
 * ids.
 */
export interface ListPosition {
  readonly afterKeyId: string;
  readonly afterValue?: number | string;
}

/** The position after a key. */
export function positionOf(record: KeyRecord, index: KeyListPlan["index"]): ListPosition {
  const { keyId: afterKeyId } = record;
  switch (index) {
    case "key_id":
    case "actor":
    case "disabled":
    case "term":
      return { afterKeyId };
    case "name":
      return { afterKeyId, afterValue: record.name };
    case "createTime":
      return { afterKeyId, afterValue: record.createTimeMs };
    case "expireTime":
      return { afterKeyId, afterValue: record.expireTimeMs ?? neverMs };
    case "lastUsedTime":
      return { afterKeyId, afterValue: record.lastUsedTimeMs ?? record.createTimeMs };
  }
}

/** One step of a walk over an index. */
export interface Walked {
  /** In the order of the index. */
  readonly found: readonly KeyRecord[];
  /** Position after the last key walked; null at the end. */
  readonly end: ListPosition | null;
}

/** The end of a walk that read up to `limit` keys. */
export function walkEnd(found: readonly KeyRecord[], limit: number, index: KeyListPlan["index"]): ListPosition | null {
  const last = found.at(-1);
  return last === undefined || found.length < limit ? null : positionOf(last, index);
}

/** Returns the found keys that match, at most `limit`, and where to continue. */
export function matchingPart({ found, end }: Walked, { index }: KeyListPlan, filter: KeyFilter, { nowMs, limit }: PartBounds) {
  const matching = found.filter((record) => matchesFilter(record, filter, nowMs));
  const records = matching.slice(0, limit);
  const next = matching.length <= limit ? end : positionOf(matching[limit - 1] as KeyRecord, index);
  return { records, lastKeyId: next?.afterKeyId ?? null, ...(next?.afterValue !== undefined && { lastValue: next.afterValue }) };
}

interface PartBounds {
  readonly nowMs: number;
  readonly limit: number;
}
