import type { CacheGeneration } from "../ports/cache-generation.ts";

/** The newest generation that this process knows. */
export interface KnownGeneration {
  /** Null before the store's first answer. */
  readonly current: CacheGeneration | null;
  /** When the question was asked that last confirmed it; -Infinity if it was never confirmed. */
  readonly confirmedMs: number;
  readonly epoch: number;
  /** Returns true if the generation is newer. Then everything cached under the older one is in doubt. */
  moveTo(generation: CacheGeneration): boolean;
  /** Records that the store named this generation when it was asked at this moment. */
  confirm(generation: CacheGeneration, askedMs: number): void;
  /** Puts everything that was cached in doubt. */
  doubt(): void;
}

/** `reset` drops everything cached. It is called before the new epoch is visible. */
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
