const maxLinesPerSecond = 10;

/**
 * Limits the log lines of faults that come with calls, because in an outage of the store every call may fail. Returns a function to call
 * before each line: it returns how many were omitted since the last one, or null if this line must be omitted too.
 */
export function createLineLimit(monotonicMs: () => number): () => number | null {
  let secondStartMs = Number.NEGATIVE_INFINITY;
  let count = 0;
  let omitted = 0;
  return () => {
    const nowMs = monotonicMs();
    if (nowMs - secondStartMs >= 1000) {
      secondStartMs = nowMs;
      count = 0;
    }
    count += 1;
    if (count > maxLinesPerSecond) {
      omitted += 1;
      return null;
    }
    const before = omitted;
    omitted = 0;
    return before;
  };
}
