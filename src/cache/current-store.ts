import type { KeyStore } from "../ports/key-store.ts";
import type { CacheTrust } from "./trust.ts";

type Reads = Pick<KeyStore, "get" | "getMany">;

/**
 * The reads of a store, made only if the store was confirmed to be current within the last lease (`CacheTrust.confirm`). A primary that was
 * replaced without noticing still answers plain reads, with old records, until it learns of its successor. No successor can be elected, and
 * acknowledge a change, within a lease of the moment at which a majority still followed the old primary.
 */
export function createCurrentStore(store: Reads, trust: Pick<CacheTrust, "confirm">): Reads {
  return {
    async get(tenant, keyId) {
      await trust.confirm();
      return store.get(tenant, keyId);
    },
    async getMany(tenant, keyIds) {
      await trust.confirm();
      return store.getMany(tenant, keyIds);
    },
  };
}
