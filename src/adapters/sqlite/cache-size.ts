import type { DatabaseSync } from "node:sqlite";

/** Below this size of the file the cache is small: 1 GiB in pages of 4 KiB. */
const smallFilePages = 262_144;
const smallCacheKib = 16 * 1024;

/**
 * Returns a function that fits SQLite's cache of pages to the size of the file. While the file is small, it uses at most 16 MiB of the
 * memory that is set.
 *
 * When SQLite splits pages of a tree, it puts one aside under the number of the page at 1 GiB. If the file ends before that, the commit
 * looks through the whole cache for pages behind the file's end. With 64 MiB that took a fifth of an insert. A small file needs no large
 * cache, because reads find its pages mapped.
 */
export function prepareCacheSize(database: DatabaseSync, maxSmallPages = smallFilePages): () => void {
  const { cache_size: wanted } = database.prepare("PRAGMA cache_size").get() as { cache_size: number };
  const select = database.prepare("PRAGMA page_count");
  let current = wanted;
  return () => {
    const { page_count: pages } = select.get() as { page_count: number };
    // KiB are negative.
    const size = pages < maxSmallPages ? Math.max(wanted, -smallCacheKib) : wanted;
    if (size === current) return;
    database.exec(`PRAGMA cache_size = ${size}`);
    current = size;
  };
}
