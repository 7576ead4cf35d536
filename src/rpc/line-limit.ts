const maxLinesPerSecond = 10;
/** An outage without lines for this long is over, or the next line comes too late to be understood with it. */
const idleMs = 2000;

/**
 * Limits the log lines of faults that come with calls, because in an outage of the store every call may fail. Returns a function to call
 * before each line: it returns how many were omitted since the last one, or null if this line must be omitted too. Calls `reportLast` with
 * the number of the last ones that were omitted, once no line has come for some seconds, and when the process ends: `atEnd` runs work then.
 */
export function createLineLimit(
  monotonicMs: () => number,
  atEnd: (work: () => void) => void,
  reportLast: (omitted: number) => void,
): () => number | null {
  let secondStartMs = Number.NEGATIVE_INFINITY;
  let count = 0;
  let omitted = 0;
  let timer: NodeJS.Timeout | undefined;
  const takeOmitted = (): number => {
    const taken = omitted;
    omitted = 0;
    return taken;
  };
  const end = (): void => {
    if (omitted > 0) reportLast(takeOmitted());
  };
  atEnd(end);
  return () => {
    const nowMs = monotonicMs();
    if (nowMs - secondStartMs >= 1000) {
      secondStartMs = nowMs;
      count = 0;
    }
    count += 1;
    if (count <= maxLinesPerSecond) return takeOmitted();
    omitted += 1;
    timer = timer?.refresh() ?? setTimeout(end, idleMs).unref();
    return null;
  };
}
