import type { CacheGeneration } from "../ports/cache-generation.ts";

/** The newest generation that this process has heard of. */
export interface KnownGeneration {
  /** Null before the first answer of the store. */
  readonly current: CacheGeneration | null;
  /** When the store was asked that last confirmed it; -Infinity if it never did. */
  readonly confirmedMs: number;
  readonly epoch: number;
  /** Returns true if this is a newer one. Everything that was cached under the older one is then in doubt. */
  moveTo(generation: CacheGeneration): boolean;
  /** The store named this generation when it was asked at this moment. */
  confirm(generation: CacheGeneration, askedMs: number): void;
  /** Puts everything that was cached in doubt. */
  doubt(): void;
}

/** `reset` drops what was cached. It is called before the epoch's new number shows. */
export function createKnownGeneration(reset: () => void): KnownGeneration {
  let current: CacheGeneration | null = null;
  let confirmedMs = Number.NEGATIVE_INFINITY;
  let epoch = 0;
  const doubt = () => {
    reset();
    epoch += 1;
  };
  return {
    get current() {
      return current;
    },
    get confirmedMs() {
      return confirmedMs;
    },
    get epoch() {
      return epoch;
    },
    moveTo(generation) {
      if (current !== null && generation.number <= current.number) return false;
      current = generation;
      doubt();
      return true;
    },
    confirm(generation, askedMs) {
      if (generation.number === current?.number) confirmedMs = Math.max(confirmedMs, askedMs);
    },
    doubt,
  };
}
