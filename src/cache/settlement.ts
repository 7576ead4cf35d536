import type { GenerationQuestions } from "./generation-questions.ts";

/** The server of the shared cache that accepted a change, and the generation under which it did. */
export interface Announced {
  readonly cacheId: string;
  readonly generation: number;
}

/**
 * Begins a generation after a change that was not announced under the current one. See `settle` of CacheTrust. `payDebt` retries after an
 * earlier failure.
 */
export function createSettlement({ read, advance }: GenerationQuestions): {
  readonly settle: (announced: Announced | null) => Promise<void>;
  readonly payDebt: () => Promise<void>;
} {
  /** True after a change that could not be announced. */
  let owesGeneration = false;
  const settle = async (announced: Announced | null): Promise<void> => {
    if (announced === null) owesGeneration = false;
    try {
      const current = await read();
      if (announced === null || announced.generation !== current.number || announced.cacheId !== current.cacheId) {
        await advance(current.number, current.cacheId);
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
