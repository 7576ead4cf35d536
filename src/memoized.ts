/** The container of the values: a Map for few keys, a WeakMap for objects, a BoundedMemory for keys that callers choose. */
interface Memory<K, V> {
  get(key: K): V | undefined;
  set(key: K, value: V): unknown;
}

/** Calls `create` once for each key, or again if the memory no longer has its value. No value may be undefined. */
export function memoized<K, V>(create: (key: K) => V, memory: Memory<K, V> = new Map()): (key: K) => V {
  return (key) => {
    let value = memory.get(key);
    if (value === undefined) {
      value = create(key);
      memory.set(key, value);
    }
    return value;
  };
}
