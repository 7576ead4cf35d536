import { createRecent } from "./recent.ts";

/** Limits whose leases were in vain lately: nothing was spent from them, because they came too late, not at all, or were not needed. */
export interface Rests {
  /** Whether no lease of the limit should be asked for now. */
  isResting(key: string, nowMs: number): boolean;
  /** Call it when a lease ends, and if there was no answer to a request for one. */
  note(key: string, wasSpent: boolean, lifeMs: number, nowMs: number): void;
}

/** One may be in vain because of a pause of the process or the end of a burst. */
const maxInVain = 1;
/** A lease has what is taken in a quarter of its life (`askedLife`), so leases that come too late lose at most 1/80 of what is taken. */
const restLives = 20;
/** Longer than the longest rest. */
const stayMs = 10_000;

export function createRests(): Rests {
  const rests = createRecent<{ inVain: number; untilMs: number }>(stayMs);
  return {
    isResting(key, nowMs) {
      const rest = rests.find(key, nowMs);
      return rest !== undefined && nowMs < rest.untilMs;
    },
    note(key, wasSpent, lifeMs, nowMs) {
      const rest = rests.find(key, nowMs);
      if (wasSpent) {
        if (rest !== undefined) rest.inVain = 0;
        return;
      }
      const inVain = (rest?.inVain ?? 0) + 1;
      rests.set(key, { inVain, untilMs: inVain > maxInVain ? nowMs + lifeMs * restLives : nowMs });
    },
  };
}
