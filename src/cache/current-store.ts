import type { KeyStore } from "../ports/key-store.ts";
import type { CacheTrust } from "./trust.ts";

type Reads = Pick<KeyStore, "get" | "getMany">;

/**
 * The reads of a store, made only where the store was seen to be in force within the lease before (`CacheTrust.confirm`). A primary that was
 * replaced without knowing it still answers plain reads, with records of before and for as long as nobody tells it; no successor can be
 * elected, and acknowledge a change, within a lease of the moment in which a majority still followed the old one.
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
