import { parseRfc3339 } from "./rfc3339.ts";

/** A span of time, in epoch milliseconds. An absent end is open. */
export interface TimeRange {
  /** At this moment or later. */
  readonly fromMs?: number;
  /** Before this moment. */
  readonly untilMs?: number;
}

/** The range that one comparison with an RFC 3339 time allows. Null if the text is not such a time. */
export function timeRangeOf(operator: "<" | "<=" | ">" | ">=", text: string): TimeRange | null {
  const timeMs = parseRfc3339(text);
  if (timeMs === null) return null;
  // Times of keys are whole milliseconds: one that is below a fraction is also below the next whole one.
  const hasRest = /\.\d{3}\d*[1-9]/.test(text);
  const above = timeMs + 1;
  const bound = hasRest || operator === "<=" || operator === ">" ? above : timeMs;
  return operator === "<" || operator === "<=" ? { untilMs: bound } : { fromMs: bound };
}

export function isWithin({ fromMs, untilMs }: TimeRange, timeMs: number): boolean {
  return (fromMs === undefined || timeMs >= fromMs) && (untilMs === undefined || timeMs < untilMs);
}
