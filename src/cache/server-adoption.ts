import type { SharedCache } from "../ports/shared-cache.ts";
import type { GenerationQuestions } from "./generation-questions.ts";
import type { KnownGeneration } from "./known-generation.ts";

export interface AdoptionOptions {
  readonly known: Pick<KnownGeneration, "current">;
  readonly shared: Pick<SharedCache, "cacheId">;
  readonly monotonicMs: () => number;
  /** How long the generation must name another server before this process begins a generation for its own. */
  readonly identityPatienceMs: number;
}

/**
 * Begins a generation for a shared cache that is not the current generation's own, because it may have lost writes. Call the returned
 * function at every tick.
 */
export function createServerAdoption(options: AdoptionOptions, advance: GenerationQuestions["advance"]): () => Promise<void> {
  const { known, shared, monotonicMs, identityPatienceMs } = options;
  let foreignSinceMs: number | null = null;
  return async () => {
    const { current } = known;
    const { cacheId } = shared;
    if (current === null || cacheId === null || current.cacheId === cacheId) {
      foreignSinceMs = null;
      return;
    }
    foreignSinceMs ??= monotonicMs();
    if (current.cacheId !== "" && monotonicMs() - foreignSinceMs < identityPatienceMs) return;
    foreignSinceMs = null;
    await advance(current.number, cacheId);
  };
}
