import { invalidField } from "../error/failure.ts";

/** One restriction of a filter, such as `actor_id = "user_123"`. */
export interface Restriction {
  readonly field: string;
  readonly operator: string;
  /** The value without its quotes and escapes. */
  readonly value: string;
  readonly isQuoted: boolean;
  /** Whether the value ends with a `*` that is not escaped. */
  readonly hasWildcard: boolean;
  /** The position in the filter, counted from 1. */
  readonly column: number;
}

/** One restriction in its parentheses, and the conjunction between two: `(field = value)`, `AND`. */
const restriction =
  /([\s(]*)([A-Za-z_][\w.]*)\s*(!=|<=|>=|=|:|<|>)\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'()=<>:!][^\s"'()=<>!]*)((?:\s*\))*)/y;
const conjunction = /\s+AND(?=[\s(])/y;

const allowed = "restrictions are joined by AND, and OR, NOT and - are not supported";

/**
 * Parses the part of AIP-160 that indexes can serve. The caller decides which fields and operators are allowed.
 *
 *     filter      = [ part { "AND" part } ]
 *     part        = restriction | "(" filter ")"
 *     restriction = field operator value
 *     value       = quoted string | bare word
 *
 * With AND alone, parentheses change nothing. In a quoted string a backslash precedes a quote, a `*` or another backslash, which then
 * stand for themselves.
 *
 * Throws INVALID_REQUEST on `filter` for anything else. The error names the column. `example` is a restriction to show in it.
 */
export function parseRestrictions(text: string, example: string): Restriction[] {
  const found: Restriction[] = [];
  if (text.trim() === "") return found;
  for (let position = 0, depth = 0; ; ) {
    const match = matchAt(restriction, text, position);
    if (match === null) throw filterProblem(position + 1, `expected a restriction such as ${example}; ${allowed}`);
    const [, before, field, operator, value, after] = match as unknown as [string, string, string, string, string, string];
    const column = position + before.length + 1;
    found.push({ field, operator, ...readValue(value, column), column });
    position = restriction.lastIndex;
    depth += before.split("(").length - after.split(")").length;
    const isEnd = text.slice(position).trim() === "";
    if (depth < 0 || (isEnd && depth > 0)) throw filterProblem(position, `each ( must have a ), and each ) a (`);
    if (isEnd) return found;
    if (matchAt(conjunction, text, position) === null) throw filterProblem(position + 1, `expected AND; ${allowed}`);
    position = conjunction.lastIndex;
  }
}

export function isComparison(operator: string): operator is "<" | "<=" | ">" | ">=" {
  return operator.startsWith("<") || operator.startsWith(">");
}

export function filterProblem(column: number, text: string) {
  return invalidField("filter", `column ${column}: ${text}`);
}

function matchAt(pattern: RegExp, text: string, position: number): RegExpExecArray | null {
  pattern.lastIndex = position;
  return pattern.exec(text);
}

function readValue(text: string, column: number): Pick<Restriction, "value" | "isQuoted" | "hasWildcard"> {
  if (!/^["']/.test(text)) return { value: text, isQuoted: false, hasWildcard: text.endsWith("*") };
  const inner = text.slice(1, -1);
  const value = inner.replaceAll(/\\(.)/g, (_escape, character: string) => {
    if (!`\\"'*`.includes(character)) throw filterProblem(column, "a backslash must precede a quote, a * or another backslash");
    return character;
  });
  return { value, isQuoted: true, hasWildcard: inner.replaceAll(/\\./g, "").endsWith("*") };
}
