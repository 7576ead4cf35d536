/** Remembers the most recently used entries. Together they weigh at least `capacity`, if there were that many, and at most twice that. */
export interface BoundedMemory<T> {
  get(key: string): T | undefined;
  set(key: string, value: T): void;
}

/** Uses two maps. When the newer one is full, it replaces the older one, whose entries are forgotten. So most uses need no bookkeeping. */
export function createBoundedMemory<T>(capacity: number, weightOf: (value: T) => number = one): BoundedMemory<T> {
  let newer = new Map<string, T>();
  let older = new Map<string, T>();
  let weight = 0;

  const set = (key: string, value: T) => {
    if (weight >= capacity) {
      older = newer;
      newer = new Map();
      weight = 0;
    }
    newer.set(key, value);
    weight += weightOf(value);
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

function one(): number {
  return 1;
}
