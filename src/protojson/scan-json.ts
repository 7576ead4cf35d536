import type { DescMessage } from "@bufbuild/protobuf";
import { type FieldViolation, invalidField } from "../error/failure.ts";
import { childPath, fieldsByJsonName, hasMembers, maxDepth, nestedTooDeep, printableName } from "./fields.ts";
import { losesPrecision } from "./numeral.ts";

/** An array of the contract has at most 1000 items, and one in metadata at most 2048, the maximum in its 4096 bytes. */
export const maxItems = 2048;
/** No text of the contract is nearly as long, even with all its characters escaped. */
const maxTextChars = 1024 * 1024;
/**
 * An item of a list, and everything outside of the lists, is parsed and read in one turn. Each has at most this many values and
 * `maxTextChars`. The largest key has some 2,500.
 */
const maxValuesAtOnce = 4096;
const maxProblems = 100;
/** An object or array that is not closed yet. */
interface Open {
  /** Undefined in an array. */
  readonly names: Set<string> | undefined;
  /** Name of the current member. */
  name: string;
  awaitsName: boolean;
  /** Index of the current item. */
  index: number;
  /** Offsets of the opening bracket and of the commas, if `lists` wants this array. */
  readonly commas: number[] | undefined;
  /** How many values were counted before it, and before its current item. */
  readonly valuesBefore: number;
  itemFrom: number;
}

/** A list that is a member of the outermost object. */
export interface JsonList {
  readonly name: string;
  /** Offsets of its brackets. */
  readonly start: number;
  readonly end: number;
  /** Offsets of the commas between its items. */
  readonly commas: readonly number[];
  /** How many values are in it. */
  readonly values: number;
}

export interface ScanOptions {
  readonly maxValues: number;
  /** The message of the text, for the proto names of fields in violations. Without it, and in unknown members, names are as in the text. */
  readonly schema?: DescMessage | undefined;
}

/** A check of JSON text that may be done in parts. */
export interface JsonScan extends ScanOptions {
  readonly text: string;
  /** How far the text is checked. */
  at: number;
  values: number;
  /** Where the outermost value ends. */
  end: number;
  readonly stack: Open[];
  readonly problems: FieldViolation[];
  /** Undefined if nobody asks for them. */
  readonly lists: JsonList[] | undefined;
}

const quote = 0x22;
const comma = 0x2c;
const minus = 0x2d;
const zero = 0x30;
const nine = 0x39;
const colon = 0x3a;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/**
 * Checks JSON text before it is parsed, in one pass that creates no values. Throws INVALID_REQUEST at once if the text has more than
 * `maxValues` values, an array or object of more than 2048 items or members, a text of more than 1 MiB, or more than 100 levels. Returns
 * what JSON.parse would silently change: duplicate members of an object (it keeps the last one), and numbers that a double cannot
 * represent. Does not check whether the text is JSON.
 */
export function scanJson(text: string, options: ScanOptions): FieldViolation[] {
  const scan = beginScan(text, options, undefined);
  scanPart(scan, text.length);
  return scan.problems;
}

/** The same for a text that is parsed in parts: the lists in the outermost object. Their items have at most 4096 values each. */
export function beginScan(text: string, options: ScanOptions, lists: JsonList[] | undefined): JsonScan {
  const { maxValues, schema } = options;
  return { text, maxValues, schema, at: 0, values: 1, end: 0, stack: [], problems: [], lists };
}

/** Checks the text up to `until`, and on to the end of the token there. */
export function scanPart(scan: JsonScan, until: number): void {
  const { text, maxValues, stack, lists } = scan;
  let open = stack.at(-1);
  let { at, values } = scan;
  for (; at < until; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      const end = stringEnd(text, at);
      if (end - at > maxTextChars) throw invalidField(pathOf(scan), `must be at most ${maxTextChars} characters`);
      if (open?.awaitsName && !takeName(open, nameIn(text, at, end))) report(scan, "is given twice");
      at = end;
    } else if (code === comma) {
      if (++values > maxValues) throw tooManyValues("", maxValues);
      if (open?.names !== undefined) {
        open.awaitsName = true;
        if (open.names.size >= maxItems) throw tooMany(scan, "members");
      } else if (open !== undefined) {
        if (open.commas !== undefined) endItem(open, at, values, scan);
        if (++open.index >= maxItems) throw tooMany(scan, "items");
      }
    } else if (code === colon) {
      if (open !== undefined) open.awaitsName = false;
    } else if (code === openBrace || code === openBracket) {
      if (++values > maxValues) throw tooManyValues("", maxValues);
      const isWanted = lists !== undefined && stack.length === 1 && open?.names !== undefined;
      open = code === openBrace ? openObject() : openArray(isWanted ? [at] : undefined, values);
      if (stack.push(open) > maxDepth) throw nestedTooDeep();
    } else if (code === closeBrace || code === closeBracket) {
      if (open?.commas !== undefined) lists?.push(endList(open, at, values, scan));
      stack.pop();
      open = stack.at(-1);
      if (open === undefined) scan.end = at + 1;
    } else if (code === minus || (code >= zero && code <= nine)) {
      const end = numberEnd(text, at);
      if (end - at > 1 && losesPrecision(text.slice(at, end))) report(scan, "is a number that would be rounded; use a string");
      at = end - 1;
    }
  }
  scan.at = at;
  scan.values = values;
}

function report(scan: JsonScan, description: string): void {
  if (scan.problems.length < maxProblems) scan.problems.push({ field: pathOf(scan), description });
}

/** Ends an item of a wanted list at a comma, which has been counted as the next item's value. */
function endItem(open: Open, at: number, values: number, scan: JsonScan): void {
  checkItem(open, at, values, scan);
  open.commas?.push(at);
  open.itemFrom = values;
}

function checkItem({ commas, itemFrom }: Open, at: number, values: number, scan: JsonScan): void {
  if (values - itemFrom > maxValuesAtOnce) throw tooManyValues(pathOf(scan), maxValuesAtOnce);
  if (at - (commas?.at(-1) ?? at) > maxTextChars) throw invalidField(pathOf(scan), `must be at most ${maxTextChars} characters`);
}

/** The wanted list that ends here, the last on the stack. */
function endList(list: Open, end: number, values: number, scan: JsonScan): JsonList {
  checkItem(list, end, values, scan);
  const [start = 0, ...commas] = list.commas ?? [];
  return { name: scan.stack[0]?.name ?? "", start, end, commas, values: values - list.valuesBefore };
}

/** Throws if there is too much to parse at once outside of these lists. */
export function checkRest({ values, end }: JsonScan, lists: readonly JsonList[]): void {
  let [restValues, restChars] = [values, end];
  for (const list of lists) {
    restValues -= list.values;
    restChars -= list.end - list.start;
  }
  if (restValues > maxValuesAtOnce) throw tooManyValues("", maxValuesAtOnce);
  if (restChars > maxTextChars) throw invalidField("", `must be at most ${maxTextChars} characters, not counting its lists`);
}

function tooManyValues(field: string, maxValues: number): Error {
  return invalidField(field, `must not hold more than ${maxValues} values`);
}

function tooMany({ stack, schema }: JsonScan, what: "items" | "members"): Error {
  return invalidField(pathOf({ stack: stack.slice(0, -1), schema }), tooManyIn(what));
}

export function tooManyIn(what: "items" | "members"): string {
  return `must not hold more than ${maxItems} ${what}`;
}

function openObject(): Open {
  return { names: new Set(), name: "", awaitsName: true, index: 0, commas: undefined, valuesBefore: 0, itemFrom: 0 };
}

function openArray(commas: number[] | undefined, valuesBefore: number): Open {
  return { names: undefined, name: "", awaitsName: false, index: 0, commas, valuesBefore, itemFrom: valuesBefore };
}

/** Returns false if the object already has a member of this name. */
function takeName(open: Open, name: string): boolean {
  const names = open.names as Set<string>;
  const count = names.size;
  open.name = name;
  return names.add(name).size > count;
}

/** `\u0061` and `a` are the same name. */
function nameIn(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end);
  if (!raw.includes("\\")) return raw;
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return raw;
  }
}

/**
 * The offset of the closing quote of the string that begins at `start`; the length of the text, or one beyond the bound, if there is none.
 */
function stringEnd(text: string, start: number): number {
  const end = text.indexOf('"', start + 1);
  if (end < 0) return text.length;
  if (text.charCodeAt(end - 1) !== backslash) return end;
  // Escapes are followed from the start. A search from quote to quote would take many times as long if all are escaped.
  const limit = Math.min(text.length, start + maxTextChars + 1);
  for (let at = start + 1; at < limit; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) return at;
    if (code === backslash) at++;
  }
  return limit;
}

function numberEnd(text: string, start: number): number {
  let end = start + 1;
  while (end < text.length && isNumberPart(text.charCodeAt(end))) end++;
  return end;
}

/** Digits, `+`, `-`, `.`, `e` and `E`. */
function isNumberPart(code: number): boolean {
  return (code >= zero && code <= nine) || code === 0x2e || code === 0x65 || code === 0x45 || code === 0x2b || code === minus;
}

/** The path of the current value. */
function pathOf({ stack, schema }: Pick<JsonScan, "stack" | "schema">): string {
  let path = "";
  let message = schema;
  for (const { names, name, index } of stack) {
    if (names === undefined) {
      path += `[${index}]`;
      continue;
    }
    const field = message && hasMembers(message) ? fieldsByJsonName(message).get(name) : undefined;
    path = childPath(path, field?.name ?? printableName(name));
    message = field?.fieldKind === "map" ? undefined : field?.message;
  }
  return path;
}
