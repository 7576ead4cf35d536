import { invalidField } from "../error/failure.ts";
import { filterProblem, isComparison, parseRestrictions, type Restriction } from "./filter.ts";
import { type KeyRecord, type KeyStatus, statusAt } from "./key.ts";
import { isTermName, isTermValue, maxTermLength } from "./key-terms.ts";
import { isWithin, type TimeRange, timeRangeOf } from "./time-range.ts";

/** Which keys a list shows. All restrictions must hold. */
export interface KeyFilter {
  readonly actorId?: string | undefined;
  readonly status?: KeyStatus | undefined;
  readonly name?: NamePattern;
  readonly createTime?: TimeRange;
  /** Keys that do not expire match no range. */
  readonly expireTime?: TimeRange;
  /** A key that was never used counts by its creation, so that a new key does not look unused for long. */
  readonly lastUsedTime?: TimeRange;
  /** Scopes that the key has, at most `maxTermsPerField`. */
  readonly scopes?: readonly string[];
  /** Members that the outermost object of the metadata has with these texts, at most `maxTermsPerField`, in the order of the filter. */
  readonly metadata?: readonly MetadataMember[];
  /** Only disabled keys. They have an index because they are few; other keys have none. */
  readonly disabled?: true;
}

export type MetadataMember = readonly [member: string, text: string];

/** Exhaustive: a list with a member that is not here would not check it. */
export const filterMembers = Object.keys({
  actorId: 0,
  status: 0,
  name: 0,
  createTime: 0,
  expireTime: 0,
  lastUsedTime: 0,
  scopes: 0,
  metadata: 0,
  disabled: 0,
} satisfies Record<keyof KeyFilter, 0>) as readonly (keyof KeyFilter)[];

export interface NamePattern {
  readonly text: string;
  /** True if the name must begin with the text, false if it must equal it. */
  readonly isPrefix: boolean;
}

/** Maximum restrictions on scopes, and likewise on members of the metadata. */
const maxTermsPerField = 5;

/** The statuses by their names in proto. */
const statusNames: Readonly<Record<KeyStatus, string>> = {
  active: "KEY_STATUS_ACTIVE",
  revoked: "KEY_STATUS_REVOKED",
  expired: "KEY_STATUS_EXPIRED",
};
const statuses = Object.keys(statusNames) as KeyStatus[];

const fieldsText =
  "use actor_id, status, name or disabled with =, metadata.<member> with = or :, scopes with :, or create_time, expire_time or last_used_time with <, <=, > or >=";

type Parse = (restriction: Restriction) => KeyFilter;

const parsers: Readonly<Record<string, Parse>> = {
  "actor_id =": (restriction) => ({ actorId: literal(restriction) }),
  "status =": ({ value, column }) => {
    const status = statuses.find((each) => statusNames[each] === value);
    if (status === undefined) throw filterProblem(column, `status must be one of ${Object.values(statusNames).join(", ")}`);
    return { status };
  },
  "name =": ({ value, column, hasWildcard: isPrefix }) => {
    if (value === "*" && isPrefix) throw filterProblem(column, "name must have at least one character before the *");
    return { name: { text: isPrefix ? value.slice(0, -1) : value, isPrefix } };
  },
  "disabled =": ({ value, column }) => {
    if (value !== "true") throw filterProblem(column, "disabled must be compared with true");
    return { disabled: true };
  },
  "scopes :": (restriction) => ({ scopes: [termValue(restriction)] }),
};

const timeFields: Readonly<Record<string, (range: TimeRange) => KeyFilter>> = {
  create_time: (createTime) => ({ createTime }),
  expire_time: (expireTime) => ({ expireTime }),
  last_used_time: (lastUsedTime) => ({ lastUsedTime }),
};

/**
 * Parses the filter of a list of keys. Throws INVALID_REQUEST on `filter` for a restriction that no index serves; the error lists those
 * that are supported.
 */
export function parseKeyFilter(text: string): KeyFilter {
  const restrictions = parseRestrictions(text, 'actor_id="user_123" or status=KEY_STATUS_ACTIVE');
  return restrictions.reduce<KeyFilter>((filter, restriction) => added(filter, parseOne(restriction), restriction), {});
}

function parseOne(restriction: Restriction): KeyFilter {
  const { field, operator, value, column } = restriction;
  const name = `${field} ${operator}`;
  const parse = Object.hasOwn(parsers, name) ? parsers[name] : undefined;
  if (parse !== undefined) return parse(restriction);
  const inTime = Object.hasOwn(timeFields, field) ? timeFields[field] : undefined;
  if (inTime !== undefined && isComparison(operator)) {
    const range = timeRangeOf(operator, value);
    if (range === null) throw filterProblem(column, `${field} must be compared with an RFC 3339 time such as "2026-01-31T00:00:00Z"`);
    return inTime(range);
  }
  if (field.startsWith("metadata.") && (operator === "=" || operator === ":")) {
    const member = field.slice("metadata.".length);
    if (!isTermName(member)) throw filterProblem(column, "metadata must be followed by one member of letters, digits and _");
    if (!restriction.isQuoted && notText.test(value)) {
      throw filterProblem(column, "metadata is compared with texts; put the value in quotes");
    }
    return { metadata: [[member, termValue(restriction)]] };
  }
  throw filterProblem(column, `unsupported field or operator; ${fieldsText}`);
}

/** Values that JSON writes without quotes. Keys are found by texts only. */
const notText = /^(?:true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;

/** In AIP-160 a bare `*` stands for any text. */
function literal({ field, value, column, isQuoted }: Restriction): string {
  if (isQuoted || !value.includes("*")) return value;
  throw filterProblem(column, `${field} has no wildcards; to find a *, put the value in quotes`);
}

function termValue(restriction: Restriction): string {
  const value = literal(restriction);
  if (isTermValue(value)) return value;
  const { column, field } = restriction;
  throw filterProblem(column, `${field} must be compared with 1 to ${maxTermLength} characters, none of them NUL`);
}

/**
 * The two ends of a range may come from two restrictions. Scopes, and members of the metadata, may be several. Any other restriction may
 * occur once.
 */
function added(filter: KeyFilter, more: KeyFilter, { field, column }: Restriction): KeyFilter {
  const [[member, value]] = Object.entries(more) as [[keyof KeyFilter, object]];
  const before = filter[member];
  if (before === undefined) return { ...filter, ...more };
  const duplicate = () => filterProblem(column, `duplicate restriction on ${field}`);
  if (Array.isArray(before)) {
    const [term] = value as [string | MetadataMember];
    if (before.some((each: string | MetadataMember) => nameOf(each) === nameOf(term))) throw duplicate();
    if (before.length < maxTermsPerField) return { ...filter, [member]: [...before, term] };
    throw filterProblem(column, `at most ${maxTermsPerField} restrictions may be on ${member}`);
  }
  if (typeof before !== "object" || Object.keys(value).some((name) => Object.hasOwn(before, name))) throw duplicate();
  return { ...filter, [member]: { ...before, ...value } };
}

function nameOf(term: string | MetadataMember): string {
  return typeof term === "string" ? term : term[0];
}

/** Reports whether a key is in the list. Used for keys that an index found, to check what the index does not hold. */
export function matchesFilter(record: KeyRecord, filter: KeyFilter, nowMs: number): boolean {
  const { actorId, status, name, createTime, expireTime, lastUsedTime, scopes, metadata, disabled, ...notChecked } = filter;
  notChecked satisfies Record<string, never>;
  if (disabled === true && !record.disabled) return false;
  if (actorId !== undefined && record.actorId !== actorId) return false;
  if (status !== undefined && statusAt(record, nowMs) !== status) return false;
  if (name !== undefined && !(name.isPrefix ? record.name.startsWith(name.text) : record.name === name.text)) return false;
  if (createTime !== undefined && !isWithin(createTime, record.createTimeMs)) return false;
  if (expireTime !== undefined && (record.expireTimeMs === null || !isWithin(expireTime, record.expireTimeMs))) return false;
  if (lastUsedTime !== undefined && !isWithin(lastUsedTime, record.lastUsedTimeMs ?? record.createTimeMs)) return false;
  if (scopes?.every((scope) => record.scopes.includes(scope)) === false) return false;
  if (metadata === undefined) return true;
  const has = record.metadata ?? {};
  return metadata.every(([member, text]) => Object.hasOwn(has, member) && has[member] === text);
}

/** The order of a list. Absent: by key id. */
export interface KeyOrder {
  /** Keys that do not expire come last in the order of expiry. */
  readonly by: "createTime" | "expireTime";
  readonly isDescending: boolean;
}

/** The filter and the order of a list. */
export interface KeySelection extends KeyFilter {
  readonly order?: KeyOrder;
}

const orders: Readonly<Record<string, KeyOrder>> = {
  create_time: { by: "createTime", isDescending: false },
  "create_time asc": { by: "createTime", isDescending: false },
  "create_time desc": { by: "createTime", isDescending: true },
  expire_time: { by: "expireTime", isDescending: false },
  "expire_time asc": { by: "expireTime", isDescending: false },
  "expire_time desc": { by: "expireTime", isDescending: true },
};

/**
 * Parses `order_by` (AIP-132). Throws INVALID_REQUEST for an order that no index serves together with the filter. Keys that are active or
 * expired are in the order of their expiry unless another order is given: in that order an index finds them even if they are few of many,
 * although their status changes with the clock.
 */
export function withOrder(filter: KeyFilter, orderBy: string): KeySelection {
  const text = orderBy.trim().replaceAll(/\s+/g, " ");
  if (text === "") return isStatusByClock(filter) ? { ...filter, order: { by: "expireTime", isDescending: false } } : filter;
  const order = Object.hasOwn(orders, text) ? orders[text] : undefined;
  if (order === undefined) throw invalidField("order_by", "must be create_time or expire_time, with or without asc or desc");
  const others = Object.keys(filter).filter((member) => member !== "status" && member !== order.by);
  if (others.length === 0) return { ...filter, order };
  throw invalidField("order_by", "can be combined only with a filter on status and on the field that it orders by");
}

/** Reports whether a filter is for nothing but a status that changes with the clock. */
function isStatusByClock(filter: KeyFilter): boolean {
  const isOnly = Object.keys(filter).length === 1;
  return isOnly && (filter.status === "active" || filter.status === "expired");
}
