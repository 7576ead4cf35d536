/** Remembers what was used lately: entries of at least `capacity` weight altogether, at most of twice as much. */
export interface BoundedMemory<T> {
  get(key: string): T | undefined;
  set(key: string, value: T): void;
}

/** Two maps in turn: when the newer one is full it becomes the older one, which is forgotten. No bookkeeping at each use. */
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
