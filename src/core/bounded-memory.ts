/** Remembers what was used lately: at least the last `capacity` keys, at most twice as many. */
export interface BoundedMemory<T> {
  get(key: string): T | undefined;
  set(key: string, value: T): void;
}

/** Two maps in turn: when the newer one is full it becomes the older one, which is forgotten. No bookkeeping at each use. */
export function createBoundedMemory<T>(capacity: number): BoundedMemory<T> {
  let newer = new Map<string, T>();
  let older = new Map<string, T>();

  const set = (key: string, value: T) => {
    if (newer.size >= capacity) {
      older = newer;
      newer = new Map();
    }
    newer.set(key, value);
  };

  return {
    set,
    get(key) {
      const known = newer.get(key);
      if (known !== undefined) return known;
      const aged = older.get(key);
      if (aged !== undefined) set(key, aged);
      return aged;
    },
  };
}
