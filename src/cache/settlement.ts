import type { CacheGeneration } from "../ports/cache-generation.ts";
import type { GenerationQuestions } from "./generation-questions.ts";

/** The server of the shared cache that accepted a change, and the generation under which it did. */
export interface Announced {
  readonly cacheId: string;
  readonly generation: number;
}

/** Announces a change once more, as the store has it, under the generation that is known. Resolves with null if that failed. */
export type AnnounceAgain = () => Promise<Announced | null>;

/** How often a change is announced again. Each time another generation must have begun meanwhile. */
const maxAgain = 3;

/**
 * Begins a generation after a change that was not announced under the current one. See `settle` of CacheTrust. `payDebt` retries after an
 * earlier failure. `pause` resolves when the next generation may begin. A generation empties all caches, so while changes cannot be
 * announced, those of one pause share one. They also fail together: if the store does not answer the step, at the deadline of an operation
 * of the store.
 */
export function createSettlement({ read, advance }: GenerationQuestions, pause: () => Promise<void>): Settlement {
  /** True after a change that could not be announced. */
  let owesGeneration = false;
  let step: Step | null = null;

  /**
   * Changes that read the same generation share the step to the next one. Each read it after the store had the change, so the step, which
   * happens only while this generation is current, comes after all of them. Nor does it happen if another process made it meanwhile.
   */
  const beginAfter = ({ number, cacheId }: CacheGeneration): Promise<unknown> => {
    if (step?.from === number) return step.done;
    const done = pause().then(() => advance(number, cacheId));
    step = { from: number, done };
    const end = () => {
      if (step?.done === done) step = null;
    };
    done.then(end, end);
    return done;
  };

  const settle = async (announced: Announced | null, announceAgain?: AnnounceAgain): Promise<void> => {
    if (announced === null && announceAgain === undefined) owesGeneration = false;
    let last = announced;
    try {
      for (let again = 0; ; again += 1) {
        const current = await read();
        if (last !== null && last.generation === current.number && last.cacheId === current.cacheId) return;
        last = announceAgain === undefined || again === maxAgain ? null : await announceAgain();
        if (last === null) {
          await beginAfter(current);
          return;
        }
      }
    } catch (error) {
      owesGeneration = true;
      throw error;
    }
  };

  return {
    settle,
    payDebt: async () => {
      if (owesGeneration) await settle(null);
    },
  };
}

export interface Settlement {
  readonly settle: (announced: Announced | null, announceAgain?: AnnounceAgain) => Promise<void>;
  readonly payDebt: () => Promise<void>;
}

interface Step {
  readonly from: number;
  readonly done: Promise<unknown>;
}
