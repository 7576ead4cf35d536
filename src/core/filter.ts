import { invalidField } from "../error/failure.ts";

/** One restriction of a filter: `actor_id = "user_123"`. */
export interface Restriction {
  readonly field: string;
  readonly operator: string;
  /** Without quotes. */
  readonly value: string;
  /** From 1 on. */
  readonly column: number;
}

/** One restriction, and what may stand between two: `field = value`, `AND`. */
const restriction = /\s*([A-Za-z_][\w.]*)\s*(!=|<=|>=|=|:|<|>)\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'()=<>:!]+)/y;
const conjunction = /\s+AND(?=\s)/y;

/**
 * Reads the part of AIP-160 that indexes can serve; which fields and operators there are is the caller's to say:
 *
 *     filter      = [ restriction { "AND" restriction } ]
 *     restriction = field operator value
 *     value       = quoted string | bare word
 *
 * Throws INVALID_REQUEST on `filter`, naming the column, for all else. `example` shows what was expected.
 */
export function parseRestrictions(text: string, example: string): Restriction[] {
  const found: Restriction[] = [];
  if (text.trim() === "") return found;
  for (let position = 0; ; ) {
    const match = matchAt(restriction, text, position);
    if (match === null) throw filterProblem(position + 1, `expected a restriction such as ${example}`);
    const [, field, operator, value] = match as unknown as [string, string, string, string];
    found.push({ field, operator, value: unquote(value), column: position + 1 });
    position = restriction.lastIndex;
    if (text.slice(position).trim() === "") return found;
    if (matchAt(conjunction, text, position) === null) {
      throw filterProblem(position + 1, "expected AND; other operators are not supported");
    }
    position = conjunction.lastIndex;
  }
}

export function filterProblem(column: number, text: string) {
  return invalidField("filter", `column ${column}: ${text}`);
}

function matchAt(pattern: RegExp, text: string, position: number): RegExpExecArray | null {
  pattern.lastIndex = position;
  return pattern.exec(text);
}

function unquote(value: string): string {
  return /^["']/.test(value) ? value.slice(1, -1).replaceAll(/\\(.)/g, "$1") : value;
}
