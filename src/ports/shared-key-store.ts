import type { CacheGenerationStore } from "./cache-generation.ts";
import type { KeyStore } from "./key-store.ts";

/**
 * A key store that several processes use at once. They also share cached records, so the store also keeps the cache generation, on which
 * the bound of docs/guarantees.md depends. `close` closes both.
 */
export interface SharedKeyStore extends KeyStore {
  /**
   * Random, created with the store and never changed. Every process of this store sees the same value, and no other store has it. It names
   * what the processes share elsewhere, such as their entries in Redis.
   */
  readonly storeId: string;
  readonly cacheGeneration: CacheGenerationStore;
}
