import type { CacheGenerationStore } from "../ports/cache-generation.ts";
import { createCurrentStore } from "./current-store.ts";
import { soleProcessTrust } from "./sole-process.ts";
import { type CacheTrust, createCacheTrust } from "./trust.ts";
import { createVerifierCache, type VerifierCache, type VerifierCacheOptions } from "./verifier-cache.ts";

/** The times behind the bounds of docs/guarantees.md: a lease of 1 s, renewed four times within it. */
const cacheLease = { leaseMs: 1000, identityPatienceMs: 500 };
const negativeCacheTtlMs = 1000;

export interface TrustedCache extends VerifierCache {
  readonly trust: CacheTrust;
}

export interface TrustedCacheOptions extends Omit<VerifierCacheOptions, "trust" | "negativeCacheTtlMs"> {
  /** Null: no other process can change a key. */
  readonly generations: CacheGenerationStore | null;
  readonly createBeatId: () => string;
}

/** The verifier cache with the trust that it needs. A process that has the store to itself needs no proofs. */
export function createTrustedCache({ generations, createBeatId, ...options }: TrustedCacheOptions): TrustedCache {
  const { store, local, shared, monotonicMs, graceMs } = options;
  const trust =
    generations === null
      ? soleProcessTrust
      : createCacheTrust({ generations, shared, monotonicMs, ...cacheLease, graceMs, reset: () => local.clear(), createBeatId });
  return { trust, ...createVerifierCache({ ...options, store: createCurrentStore(store, trust), trust, negativeCacheTtlMs }) };
}
