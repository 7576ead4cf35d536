import type { Clock } from "../ports/clock.ts";
import type { CacheEntry, RecordCache } from "../ports/record-cache.ts";
import { type Flight, isSound } from "./flights.ts";
import type { CacheDirective, ObserveRead } from "./reading.ts";
import type { CacheTrust, LocalUse } from "./trust.ts";

/** The in-process cache, as far as it can be trusted. */
export interface ProcessLevel {
  /** The first question of every read. */
  readFirst(tenant: string, keyId: string, directive: CacheDirective): CacheEntry | undefined;
  /** Returns the entry of a key, if entries may be used in this way now. */
  read(use: LocalUse, tenant: string, keyId: string): CacheEntry | undefined;
  /** Keeps the result of a flight, if it is still valid. */
  keep(flight: Flight<unknown>, tenant: string, entry: CacheEntry): void;
}

export interface ProcessLevelOptions {
  readonly local: RecordCache;
  readonly trust: CacheTrust;
  readonly clock: Clock;
  readonly entryTimeMs: () => number;
  /** False: the in-process cache is the only one. */
  readonly hasSharedCache: boolean;
  readonly observe: ObserveRead | undefined;
}

export function createProcessLevel({ local, trust, clock, entryTimeMs, hasSharedCache, observe }: ProcessLevelOptions): ProcessLevel {
  const read = (use: LocalUse, tenant: string, keyId: string): CacheEntry | undefined => {
    if (trust.localUse() !== use) return undefined;
    // A hit, which is almost every read, does not ask for the mode a second time.
    return local.get(tenant, keyId, clock()) ?? (trust.mode() === "grace" ? local.get(tenant, keyId, entryTimeMs()) : undefined);
  };

  return {
    readFirst(tenant, keyId, directive) {
      const entry = directive === "none" ? read("first", tenant, keyId) : undefined;
      if (observe !== undefined) {
        const isAsked = directive === "none" && trust.localUse() === "first";
        observe("process", entry !== undefined ? "hit" : isAsked ? "miss" : "bypass");
        if (directive !== "none" && hasSharedCache) observe("shared", "bypass");
      }
      return entry;
    },

    read,

    keep(flight, tenant, entry) {
      if (isSound(flight, trust)) local.putIfNewer(tenant, flight.keyId, entry, clock());
    },
  };
}
