/** When a question to the store was asked. */
export interface Asked {
  readonly atMs: number;
  readonly tick: number;
}

/**
 * Tracks how long the store has not answered. The store counts as lost three ticks after the last answered question. Elapsed time alone
 * would also count the store as lost after a pause of this process, when the answer has already arrived and only has to be read.
 */
export interface StoreContact {
  ask(): Asked;
  /** Records an answer, which counts as the state at the moment of the question. */
  answered(asked: Asked): void;
  failed(asked: Asked, error: unknown): void;
  /** When the latest answered question was asked; -Infinity if none was answered. */
  readonly answeredSinceMs: number;
  isLost(): boolean;
  /** The error of the last question to the store, unless a later question was answered. */
  readonly outage: { readonly error: unknown } | null;
  tick(): void;
  readonly ticks: number;
  readonly answeredTick: number;
}

const ticksUntilLost = 3;

export function createStoreContact(monotonicMs: () => number): StoreContact {
  let answeredSinceMs = Number.NEGATIVE_INFINITY;
  let outage: StoreContact["outage"] = null;
  let ticks = 0;
  let answeredTick = 0;
  return {
    ask: () => ({ atMs: monotonicMs(), tick: ticks }),
    answered(asked) {
      outage = null;
      answeredTick = Math.max(answeredTick, asked.tick);
      answeredSinceMs = Math.max(answeredSinceMs, asked.atMs);
    },
    failed(asked, error) {
      if (asked.tick > answeredTick) outage = { error };
    },
    get answeredSinceMs() {
      return answeredSinceMs;
    },
    isLost: () => ticks - answeredTick >= ticksUntilLost,
    get outage() {
      return outage;
    },
    tick() {
      ticks += 1;
    },
    get ticks() {
      return ticks;
    },
    get answeredTick() {
      return answeredTick;
    },
  };
}
