const minTimeMs = Date.parse("0001-01-01T00:00:00Z");
const maxTimeMs = Date.parse("9999-12-31T23:59:59.999Z");

/**
 * A time of RFC 3339, such as `2026-01-31T00:00:00Z`, in ms since the epoch; what is finer is cut off. Returns null if the text is none, or
 * if the moment, its offset counted in, lies outside the years 1 to 9999: google.protobuf.Timestamp has no others.
 */
export function parseRfc3339(text: string): number | null {
  const match = /^(\d{4}-\d\d-\d\d)T(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.exec(text);
  const timeMs = Date.parse(text);
  if (match === null || !isTime(timeMs)) return null;
  // Date.parse reads 31 February as 3 March.
  return new Date(`${match[1]}T00:00:00Z`).toISOString().startsWith(match[1] as string) ? timeMs : null;
}

/** Whether a moment lies in the years 1 to 9999. */
export function isTime(timeMs: number): boolean {
  return timeMs >= minTimeMs && timeMs <= maxTimeMs;
}
