/** Values by key, of which those that were not asked for lately are forgotten. */
export interface Recent<T> {
  find(key: string, nowMs: number): T | undefined;
  set(key: string, value: T): void;
}

/** Values stay for at least `stayMs` after they were last asked for. Two maps take turns, so that nothing needs a timer or a sweep. */
export function createRecent<T>(stayMs: number): Recent<T> {
  let young = new Map<string, T>();
  let old = new Map<string, T>();
  let turnedMs = Number.NEGATIVE_INFINITY;
  return {
    find(key, nowMs) {
      if (nowMs - turnedMs > stayMs) {
        old = young;
        young = new Map();
        turnedMs = nowMs;
      }
      const value = young.get(key);
      if (value !== undefined) return value;
      const older = old.get(key);
      if (older !== undefined) young.set(key, older);
      return older;
    },
    set: (key, value) => void young.set(key, value),
  };
}
