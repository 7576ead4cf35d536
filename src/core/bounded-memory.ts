/** Remembers the most recently used entries. Together they weigh at least `capacity`, if there were that many, and at most twice that. */
export interface BoundedMemory<T, K = string> {
  get(key: K): T | undefined;
  set(key: K, value: T): void;
}

export function createBoundedMemory<T>(capacity: number, weightOf: (value: T) => number = one): BoundedMemory<T> {
  return twoGenerations<T, string>(capacity, weightOf, () => new Map());
}

/** The same by objects, which it does not keep from being collected. */
export function createBoundedWeakMemory<T, K extends object>(capacity: number): BoundedMemory<T, K> {
  return twoGenerations<T, K>(capacity, one, () => new WeakMap());
}

/** Uses two maps. When the newer one is full, it replaces the older one, whose entries are forgotten. So most uses need no bookkeeping. */
function twoGenerations<T, K>(
  capacity: number,
  weightOf: (value: T) => number,
  createMap: () => { get(key: K): T | undefined; set(key: K, value: T): unknown },
): BoundedMemory<T, K> {
  let newer = createMap();
  let older = createMap();
  let weight = 0;

  const set = (key: K, value: T) => {
    if (weight >= capacity) {
      older = newer;
      newer = createMap();
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
