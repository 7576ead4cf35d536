import type { CacheGeneration, CacheGenerationStore } from "../ports/cache-generation.ts";
import type { SharedCache } from "../ports/shared-cache.ts";

/**
 * How far caches may be believed at a moment:
 * - `leased`: the generation was read from the store a moment ago, so whatever happened to the shared cache before is known;
 * - `grace`: the store has not answered since, and entries are served for as long as the outage setting allows;
 * - `none`: not at all, ask the store.
 */
export type TrustMode = "leased" | "grace" | "none";

export interface CacheTrust {
  mode(): TrustMode;
  /** Whether in-process entries may be served. */
  localTrusted(): boolean;
  /** The generation under which the shared cache may be asked; null: it may not be. */
  sharedGeneration(cacheId: string | null): number | null;
  /** Counts everything that puts older knowledge in doubt. What was read at another epoch must not be kept. */
  readonly epoch: number;
  /**
   * Called after the store acknowledged a change: `told` says which server of the shared cache took it under which generation, null for
   * none. Resolves once no process can go on believing the old state beyond the bound. Rejects where the store cannot be asked.
   */
  settle(told: { readonly cacheId: string; readonly generation: number } | null): Promise<void>;
  /** Passes on what the shared cache said (SharedCacheListener). */
  onBeat(beatId: string, cacheId: string): void;
  onGap(): void;
  /** One step of the life beside the requests: reads the generation, sends a heartbeat. To be called every `tickMs`. Never rejects. */
  tick(): Promise<void>;
}

export interface CacheTrustOptions {
  readonly generations: CacheGenerationStore;
  /** Null: processes share no cache, and every change begins a generation. */
  readonly shared: SharedCache | null;
  /** Milliseconds that only go forward, at the speed of real time. */
  readonly monotonicMs: () => number;
  /** Life of a generation read, and of a heartbeat, from the moment it was asked for or sent. */
  readonly leaseMs: number;
  /** How long entries are served without the store; 0: not beyond the lease. */
  readonly graceMs: number;
  /** How long the generation must name another server of the shared cache before this process begins a new one for its own. */
  readonly identityPatienceMs: number;
  /** Drops every in-process entry. Called before the epoch's new number shows. */
  readonly reset: () => void;
  readonly createBeatId: () => string;
}

/**
 * The rules of design.md section 6 by which a process decides whether a cache may still be believed. Two proofs are asked for, each good for
 * one lease from the moment it was *asked for*, so that a slow answer proves no more than it should:
 *
 * 1. The generation, read from the store. Whoever could not tell the shared cache of a change begins a new generation before it
 *    acknowledges the change, and so does whoever meets a shared cache that restarted. A process that cannot read it is in doubt.
 * 2. A heartbeat through the shared cache. Messages come in order, so a heartbeat that came round proves that every change
 *    published before it has been heard. Only in-process entries need this; the shared cache itself holds what it was told.
 */
export function createCacheTrust(options: CacheTrustOptions): CacheTrust {
  const { generations, shared, monotonicMs, leaseMs, graceMs, identityPatienceMs, reset, createBeatId } = options;
  let known: CacheGeneration | null = null;
  let knownSinceMs = Number.NEGATIVE_INFINITY;
  let provenSinceMs = Number.NEGATIVE_INFINITY;
  let foreignSinceMs: number | null = null;
  let epoch = 0;
  const beats = new Map<string, number>();

  const doubt = () => {
    provenSinceMs = Number.NEGATIVE_INFINITY;
    reset();
    epoch += 1;
  };

  const learn = (generation: CacheGeneration, askedMs: number) => {
    if (known !== null && generation.number < known.number) return;
    if (known === null || generation.number > known.number) {
      known = generation;
      doubt();
    }
    knownSinceMs = Math.max(knownSinceMs, askedMs);
  };

  const advance = async (from: number, cacheId: string) => {
    const askedMs = monotonicMs();
    learn(await generations.advance(from, cacheId), askedMs);
  };

  const mode = (): TrustMode => {
    if (known === null) return "none";
    const ageMs = monotonicMs() - knownSinceMs;
    if (ageMs <= leaseMs) return "leased";
    return ageMs <= graceMs ? "grace" : "none";
  };

  /** A shared cache that is not the generation's own may have lost writes; one that stays that way needs a generation of its own. */
  const adoptSharedCache = async (): Promise<void> => {
    const cacheId = shared?.cacheId ?? null;
    if (known === null || cacheId === null || known.cacheId === cacheId) {
      foreignSinceMs = null;
      return;
    }
    foreignSinceMs ??= monotonicMs();
    if (known.cacheId !== "" && monotonicMs() - foreignSinceMs < identityPatienceMs) return;
    foreignSinceMs = null;
    await advance(known.number, cacheId);
  };

  const beat = () => {
    if (shared === null || shared.cacheId === null) return;
    const nowMs = monotonicMs();
    for (const [beatId, sentMs] of beats) if (nowMs - sentMs > leaseMs) beats.delete(beatId);
    const beatId = createBeatId();
    beats.set(beatId, nowMs);
    shared.beat(beatId);
  };

  return {
    mode,

    localTrusted() {
      switch (mode()) {
        case "none":
          return false;
        case "grace":
          return true;
        case "leased":
          return shared === null || monotonicMs() - provenSinceMs <= leaseMs;
      }
    },

    sharedGeneration(cacheId) {
      return known !== null && cacheId !== null && cacheId === known.cacheId && mode() !== "none" ? known.number : null;
    },

    get epoch() {
      return epoch;
    },

    async settle(told) {
      const askedMs = monotonicMs();
      const current = await generations.read();
      if (told !== null && told.generation === current.number && told.cacheId === current.cacheId) {
        learn(current, askedMs);
        return;
      }
      await advance(current.number, current.cacheId);
    },

    onBeat(beatId, cacheId) {
      const sentMs = beats.get(beatId);
      if (sentMs === undefined) return;
      beats.delete(beatId);
      if (cacheId === known?.cacheId) provenSinceMs = Math.max(provenSinceMs, sentMs);
    },

    onGap: doubt,

    async tick() {
      beat();
      try {
        const askedMs = monotonicMs();
        learn(await generations.read(), askedMs);
        await adoptSharedCache();
      } catch {
        // The lease runs out by itself; there is nothing else to do about a store that is away.
      }
    },
  };
}
