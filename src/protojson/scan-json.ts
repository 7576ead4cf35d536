import type { FieldViolation } from "../error/failure.ts";
import { childPath, maxDepth, printableName } from "./fields.ts";
import { invalidFields, nestedTooDeep } from "./invalid-fields.ts";
import { losesPrecision } from "./numeral.ts";

/** An array of the contract has at most 1000 items, and one in metadata at most 2048, the maximum in its 4096 bytes. */
const maxItems = 2048;
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
}

/** A list that is a member of the outermost object. */
export interface JsonList {
  readonly name: string;
  /** Offsets of its brackets. */
  readonly start: number;
  readonly end: number;
  /** Offsets of the commas between its items. */
  readonly commas: readonly number[];
}

/** A check of JSON text that may be done in parts. */
export interface JsonScan {
  readonly text: string;
  readonly maxValues: number;
  /** How far the text is checked. */
  at: number;
  values: number;
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
 * `maxValues` values, an array of more than 2048 items, or more than 100 levels. Returns what JSON.parse would silently change: duplicate
 * members of an object (it keeps the last one), and numbers that a double cannot represent. Does not check whether the text is JSON.
 */
export function scanJson(text: string, maxValues: number): FieldViolation[] {
  const scan = beginScan(text, maxValues, undefined);
  scanPart(scan, text.length);
  return scan.problems;
}

export function beginScan(text: string, maxValues: number, lists: JsonList[] | undefined): JsonScan {
  return { text, maxValues, at: 0, values: 1, stack: [], problems: [], lists };
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
      if (open?.awaitsName && !takeName(open, nameIn(text, at, end))) report(scan, "is given twice");
      at = end;
    } else if (code === comma) {
      if (++values > maxValues) throw tooManyValues(maxValues);
      if (open?.names !== undefined) open.awaitsName = true;
      else if (open !== undefined) {
        if (++open.index >= maxItems) throw tooManyItems(stack);
        open.commas?.push(at);
      }
    } else if (code === colon) {
      if (open !== undefined) open.awaitsName = false;
    } else if (code === openBrace || code === openBracket) {
      if (++values > maxValues) throw tooManyValues(maxValues);
      open =
        code === openBrace
          ? openObject()
          : openArray(lists !== undefined && stack.length === 1 && open?.names !== undefined ? [at] : undefined);
      if (stack.push(open) > maxDepth) throw nestedTooDeep();
    } else if (code === closeBrace || code === closeBracket) {
      stack.pop();
      if (open?.commas !== undefined) lists?.push(listOf(open.commas, at, stack));
      open = stack.at(-1);
    } else if (code === minus || (code >= zero && code <= nine)) {
      const end = numberEnd(text, at);
      if (end - at > 1 && losesPrecision(text.slice(at, end))) report(scan, "is a number that would be rounded; use a string");
      at = end - 1;
    }
  }
  scan.at = at;
  scan.values = values;
}

function report({ problems, stack }: JsonScan, description: string): void {
  if (problems.length < maxProblems) problems.push({ field: pathOf(stack), description });
}

/** The first of the `offsets` is that of the opening bracket. */
function listOf([start = 0, ...commas]: readonly number[], end: number, stack: readonly Open[]): JsonList {
  return { name: stack[0]?.name ?? "", start, end, commas };
}

function tooManyValues(maxValues: number): Error {
  return invalidFields([{ field: "", description: `must not hold more than ${maxValues} values` }]);
}

function tooManyItems(stack: readonly Open[]): Error {
  return invalidFields([{ field: pathOf(stack.slice(0, -1)), description: `must not hold more than ${maxItems} items` }]);
}

function openObject(): Open {
  return { names: new Set(), name: "", awaitsName: true, index: 0, commas: undefined };
}

function openArray(commas: number[] | undefined): Open {
  return { names: undefined, name: "", awaitsName: false, index: 0, commas };
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

/** The offset of the closing quote of the string that begins at `start`; the length of the text if there is none. */
function stringEnd(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === backslash) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
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

function pathOf(stack: readonly Open[]): string {
  return stack.reduce(
    (path, { names, name, index }) => (names === undefined ? `${path}[${index}]` : childPath(path, printableName(name))),
    "",
  );
}
