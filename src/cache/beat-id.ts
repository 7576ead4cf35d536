import type { CacheGeneration } from "../ports/cache-generation.ts";

/** Names a heartbeat `<number>:<cache id>:<unique>`, so that every receiver learns the sender's generation. `unique` contains no colon. */
export function beatIdOf(generation: CacheGeneration, unique: string): string {
  return `${generation.number}:${generation.cacheId}:${unique}`;
}

/** Returns the sender's generation, or null if the text is not a heartbeat of this version. */
export function generationOfBeat(beatId: string): CacheGeneration | null {
  const [, number, cacheId] = /^(\d{1,15}):(.*):[^:]*$/s.exec(beatId) ?? [];
  return number === undefined || cacheId === undefined ? null : { number: Number(number), cacheId };
}
