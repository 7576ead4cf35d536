import type { CacheGeneration, CacheGenerationStore } from "../../ports/cache-generation.ts";
import type { MongoDatabase, WriteOptions } from "./database.ts";
import { isDuplicateKey } from "./errors.ts";

interface CacheGenerationDocument {
  readonly _id: "current";
  readonly number: number;
  readonly cacheId: string;
}

const none: CacheGeneration = { number: 0, cacheId: "" };

/**
 * The generation, in one document. It is read with read concern "linearizable": the primary answers only after a majority has confirmed
 * that it is still the primary. So a process on the wrong side of a partition gets no answer instead of an old one.
 */
export function createCacheGenerationStore(database: MongoDatabase): CacheGenerationStore {
  const generations = database.db.collection<CacheGenerationDocument>("cache_generation");

  async function current(signal: AbortSignal): Promise<CacheGeneration> {
    const found = await generations.findOne({ _id: "current" }, { readConcern: "linearizable", signal });
    return found === null ? none : { number: found.number, cacheId: found.cacheId };
  }

  /** Returns null if `from` is not in force. */
  async function next(from: number, cacheId: string, signal: AbortSignal): Promise<CacheGeneration | null> {
    const generation = { number: from + 1, cacheId };
    const options: WriteOptions = { signal };
    if (from > 0) {
      const { matchedCount } = await generations.updateOne({ _id: "current", number: from }, { $set: generation }, options);
      return matchedCount === 1 ? generation : null;
    }
    try {
      await generations.insertOne({ _id: "current", ...generation }, options);
      return generation;
    } catch (error) {
      if (isDuplicateKey(error)) return null;
      throw error;
    }
  }

  return {
    read: () => database.run(current),
    advance: (from, cacheId) => database.run(async (signal) => (await next(from, cacheId, signal)) ?? (await current(signal))),
  };
}
