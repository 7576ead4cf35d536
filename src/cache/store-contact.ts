/** When a question to the store was asked. */
export interface Asked {
  readonly atMs: number;
  readonly tick: number;
}

/**
 * Knows since when the store has not answered. The store counts as lost three ticks after the last answered question. Time alone would say so
 * too after this process stood still for a while, when the answer is there and has only to be read.
 */
export interface StoreContact {
  ask(): Asked;
  /** The answer counts as the state at the moment of the question. */
  answered(asked: Asked): void;
  failed(asked: Asked, error: unknown): void;
  /** When the latest question was asked that has an answer; -Infinity if none has. */
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
