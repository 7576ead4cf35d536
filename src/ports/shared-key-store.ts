import type { CacheGenerationStore } from "./cache-generation.ts";
import type { KeyStore } from "./key-store.ts";

/**
 * A key store that several processes use at once. They also share cached records, so the store keeps the cache generation too, on which the bound of
 * docs/guarantees.md rests. `close` ends both.
 */
export interface SharedKeyStore extends KeyStore {
  /**
   * Random, made with the store and never changed: every process of this store sees the same one, and no other store has it. It names what
   * the processes share elsewhere, such as their entries in Redis.
   */
  readonly storeId: string;
  readonly cacheGeneration: CacheGenerationStore;
}
