/** Calls `create` once for each key. Every later call is one look-up. Use it for few keys, because no key is ever removed. */
export function memoized<K, V>(create: (key: K) => V): (key: K) => V {
  const known = new Map<K, V>();
  return (key) => {
    let value = known.get(key);
    if (value === undefined) {
      value = create(key);
      known.set(key, value);
    }
    return value;
  };
}
