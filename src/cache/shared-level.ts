import type { CacheEntry } from "../ports/record-cache.ts";
import type { SharedCache } from "../ports/shared-cache.ts";
import { type Flight, isSound } from "./flights.ts";
import type { ProcessLevel } from "./process-level.ts";
import type { ObserveRead } from "./reading.ts";
import type { CacheTrust } from "./trust.ts";

type Flying = Flight<unknown>;

/** The shared cache, as far as it can be trusted. */
export interface SharedLevel {
  /** The generation under which entries can be read and filled now; null if no cache can be trusted. */
  generation(): number | null;
  /**
   * Returns the entry of each flight's key, which the process then keeps too. Undefined for a miss; an empty list if the cache cannot be
   * trusted.
   */
  read(tenant: string, flights: readonly Flying[]): Promise<readonly (CacheEntry | undefined)[]>;
  /** Stores the result of a flight, if it is still valid. `generation` is the one from before the store was asked. */
  fill(generation: number | null, flight: Flying, tenant: string, entry: CacheEntry): void;
}

export interface SharedLevelOptions {
  readonly shared: SharedCache;
  readonly trust: CacheTrust;
  readonly processLevel: Pick<ProcessLevel, "keep">;
  readonly entryTimeMs: () => number;
  readonly observe: ObserveRead | undefined;
}

export function createSharedLevel({ shared, trust, processLevel, entryTimeMs, observe }: SharedLevelOptions): SharedLevel {
  const generationNow = () => trust.generationOf(shared.cacheId);

  const bypass = (flights: readonly Flying[]): [] => {
    if (observe !== undefined) for (const _ of flights) observe("shared", "bypass");
    return [];
  };

  return {
    generation: generationNow,

    async read(tenant, flights) {
      const generation = generationNow();
      if (generation === null || trust.mode() === "none") return bypass(flights);
      const { epoch } = trust;
      const answer = await shared.read(
        generation,
        tenant,
        flights.map(({ keyId }) => keyId),
      );
      if (answer === null || trust.generationOf(answer.cacheId) !== generation || trust.mode() === "none") return bypass(flights);
      const nowMs = entryTimeMs();
      return flights.map((flight, index) => {
        const entry = answer.entries[index];
        const isUsable = entry !== undefined && epoch === trust.epoch && nowMs < entry.deadlineMs;
        observe?.("shared", isUsable ? "hit" : "miss");
        if (!isUsable) return undefined;
        processLevel.keep(flight, tenant, entry);
        return entry;
      });
    },

    fill(generation, flight, tenant, entry) {
      if (generation !== null && isSound(flight, trust)) shared.fill(generation, tenant, flight.keyId, entry);
    },
  };
}

/** For a process without a shared cache. */
export const noSharedLevel: SharedLevel = {
  generation: () => null,
  read: async () => [],
  fill: () => {},
};
