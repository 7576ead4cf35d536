import type { CacheGeneration } from "../ports/cache-generation.ts";

/** Names a heartbeat `<number>:<cache id>:<unique>`, by which whoever hears it learns the sender's generation. `unique` holds no colon. */
export function beatIdOf(generation: CacheGeneration, unique: string): string {
  return `${generation.number}:${generation.cacheId}:${unique}`;
}

/** The sender's generation, null for what is no heartbeat of this release. */
export function generationOfBeat(beatId: string): CacheGeneration | null {
  const [, number, cacheId] = /^(\d{1,15}):(.*):[^:]*$/s.exec(beatId) ?? [];
  return number === undefined || cacheId === undefined ? null : { number: Number(number), cacheId };
}
