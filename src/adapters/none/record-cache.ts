import type { RecordCache } from "../../ports/record-cache.ts";

/** A cache that holds nothing: every verification asks the store. */
export function createNoRecordCache(): RecordCache {
  return {
    get: () => undefined,
    putIfNewer: () => {},
    dropOlder: () => {},
    clear: () => {},
  };
}
