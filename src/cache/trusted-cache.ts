import type { CacheGenerationStore } from "../ports/cache-generation.ts";
import { createCurrentStore } from "./current-store.ts";
import { soleProcessTrust } from "./sole-process.ts";
import { type CacheTrust, type CacheTrustOptions, createCacheTrust } from "./trust.ts";
import { createVerifierCache, type VerifierCache, type VerifierCacheOptions } from "./verifier-cache.ts";

/** The times behind the bounds of docs/guarantees.md: a lease of 1 s, renewed four times within it. */
const cacheLease = { leaseMs: 1000, identityPatienceMs: 500, generationPaceMs: 250 };
const negativeCacheTtlMs = 1000;

/** Is notified of changes by other processes. */
export interface ChangeFollower {
  /** A key was changed or deleted. A read that starts now sees the change. */
  changed(tenant: string, keyId: string): void;
  /** Changes may have been missed. */
  doubted(): void;
}

export interface TrustedCache extends VerifierCache {
  readonly trust: CacheTrust;
  follow(follower: ChangeFollower): void;
}

export interface TrustedCacheOptions extends Omit<VerifierCacheOptions, "trust" | "negativeCacheTtlMs" | "onChange"> {
  /** Null: no other process can change a key. */
  readonly generations: CacheGenerationStore | null;
  readonly createBeatId: () => string;
  readonly schedule: CacheTrustOptions["schedule"];
}

/** The verifier cache with the trust that it needs. A process that has the store to itself needs no proofs. */
export function createTrustedCache({ generations, createBeatId, schedule, ...options }: TrustedCacheOptions): TrustedCache {
  const { store, local, shared, monotonicMs, graceMs } = options;
  const followers: ChangeFollower[] = [];
  const reset = () => {
    local.clear();
    for (const follower of followers) follower.doubted();
  };
  const onChange: ChangeFollower["changed"] = (tenant, keyId) => {
    for (const follower of followers) follower.changed(tenant, keyId);
  };
  const trust =
    generations === null
      ? soleProcessTrust
      : createCacheTrust({ generations, shared, monotonicMs, ...cacheLease, graceMs, reset, createBeatId, schedule });
  const current = generations === null ? store : createCurrentStore(store, trust);
  const cache = createVerifierCache({ ...options, store: current, trust, negativeCacheTtlMs, onChange });
  return { ...cache, trust, follow: (follower) => void followers.push(follower) };
}
