import type { CacheGeneration, CacheGenerationStore } from "../ports/cache-generation.ts";
import type { KnownGeneration } from "./known-generation.ts";
import type { OutageJudgements } from "./outage-judgements.ts";
import type { StoreContact } from "./store-contact.ts";

/** Questions to the store from which this process learns the generation. */
export interface GenerationQuestions {
  read(): Promise<CacheGeneration>;
  /** Begins the generation after `from`. */
  advance(from: number, cacheId: string): Promise<CacheGeneration>;
}

interface Learners {
  readonly contact: StoreContact;
  readonly known: KnownGeneration;
  readonly judgements: OutageJudgements;
  readonly beat: () => void;
}

/** Asks the store, and learns from its answer. */
export function createGenerationQuestions(
  generations: CacheGenerationStore,
  { contact, known, judgements, beat }: Learners,
): GenerationQuestions {
  const ask = async (question: () => Promise<CacheGeneration>): Promise<CacheGeneration> => {
    const asked = contact.ask();
    const generation = await question().catch((error: unknown) => {
      contact.failed(asked, error);
      throw error;
    });
    contact.answered(asked);
    const isNew = known.moveTo(generation);
    known.confirm(generation, asked.atMs);
    if (isNew) beat();
    judgements.settle();
    return generation;
  };
  return {
    read: () => ask(() => generations.read()),
    advance: (from, cacheId) => ask(() => generations.advance(from, cacheId)),
  };
}
