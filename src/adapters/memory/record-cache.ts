import { LRUCache } from "lru-cache";
import { mapKeyOf } from "../../core/tenant.ts";
import type { CacheEntry, RecordCache } from "../../ports/record-cache.ts";

/** `LRUCache` makes room for all of its entries at once. For 100,000 that takes 9 ms, a twentieth of a start, so small caches come first. */
const firstEntries = 1000;

/**
 * The cache inside one process. It holds at most `maxEntries` (at least 1) and evicts the least recently used entry of any tenant.
 * Deadlines are compared, without timers, so an entry past its deadline keeps its place until it is replaced or evicted.
 */
export function createMemoryRecordCache(options: { readonly maxEntries: number }): RecordCache {
  const { maxEntries } = options;
  let entries = new LRUCache<string, CacheEntry>({ max: Math.min(maxEntries, firstEntries) });
  const grow = () => {
    const larger = new LRUCache<string, CacheEntry>({ max: maxEntries });
    larger.load(entries.dump());
    entries = larger;
  };

  return {
    get(tenant, keyId, nowMs) {
      const entry = entries.get(mapKeyOf(tenant, keyId));
      return entry !== undefined && nowMs < entry.deadlineMs ? entry : undefined;
    },

    putIfNewer(tenant, keyId, entry, nowMs) {
      const key = mapKeyOf(tenant, keyId);
      const held = entries.peek(key);
      if (held !== undefined && nowMs < held.deadlineMs && held.revision >= entry.revision) return;
      // An entry that is already past its deadline is kept too: it replaces the older one.
      if (entries.size === entries.max && entries.max < maxEntries) grow();
      entries.set(key, entry);
    },

    dropOlder(tenant, keyId, revision) {
      const key = mapKeyOf(tenant, keyId);
      const held = entries.peek(key);
      if (held !== undefined && held.revision < revision) entries.delete(key);
    },

    clear() {
      entries.clear();
    },
  };
}
