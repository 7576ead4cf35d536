/** Which entries of the shared cache may be believed: those of this generation, in the cache server with this identity. */
export interface CacheGeneration {
  readonly number: number;
  /** What the shared cache server (or servers) called itself when the generation began; changes when one restarts or fails over. */
  readonly cacheId: string;
}

/** Keeps the cache generation beside the keys. Rejects with Failure STORE_UNAVAILABLE where the store cannot be reached. */
export interface CacheGenerationStore {
  /** The generation in force; sees every advance that was acknowledged before the call. Number 0 and an empty id before the first. */
  read(): Promise<CacheGeneration>;
  /**
   * Begins generation `from + 1` with `cacheId` where `from` is still the one in force, in one atomic step. Answers the generation then in
   * force, which is another one where somebody else was faster.
   */
  advance(from: number, cacheId: string): Promise<CacheGeneration>;
}
