/** A time of RFC 3339, such as `2026-01-31T00:00:00Z`, in ms since the epoch, what is finer cut off; null where the text is none. */
export function parseRfc3339(text: string): number | null {
  const match = /^(\d{4}-\d\d-\d\d)T(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.exec(text);
  const timeMs = Date.parse(text);
  if (match === null || Number.isNaN(timeMs)) return null;
  // Date.parse reads 31 February as 3 March.
  return new Date(`${match[1]}T00:00:00Z`).toISOString().startsWith(match[1] as string) ? timeMs : null;
}
