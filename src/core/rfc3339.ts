const minTimeMs = Date.parse("0001-01-01T00:00:00Z");
const maxTimeMs = Date.parse("9999-12-31T23:59:59.999Z");

/**
 * Parses a time of RFC 3339, such as `2026-01-31T00:00:00Z`, into ms since the epoch. Fractions of a millisecond are cut off. Returns null
 * if the text is not such a time, or if the time in UTC is outside the years 1 to 9999, the range of google.protobuf.Timestamp.
 */
export function parseRfc3339(text: string): number | null {
  const match = /^(\d{4}-\d\d-\d\d)T(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.exec(text);
  const timeMs = Date.parse(text);
  if (match === null || !isTime(timeMs)) return null;
  // Date.parse reads 31 February as 3 March.
  return new Date(`${match[1]}T00:00:00Z`).toISOString().startsWith(match[1] as string) ? timeMs : null;
}

/** Reports whether a time is in the years 1 to 9999. */
export function isTime(timeMs: number): boolean {
  return timeMs >= minTimeMs && timeMs <= maxTimeMs;
}
