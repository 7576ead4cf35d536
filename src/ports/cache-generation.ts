/** Identifies the trusted entries of the shared cache: those of this generation, in the cache server with this identity. */
export interface CacheGeneration {
  /** 0 before the first advance. */
  readonly number: number;
  /**
   * Identity of the shared cache server (or servers) when the generation began. Any text. It changes when a server restarts or fails over.
   */
  readonly cacheId: string;
}

/**
 * Stores the cache generation beside the keys, for all processes of a store. A returned value survives a crash of the process or the
 * machine, and a failover. Rejects with Failure STORE_UNAVAILABLE if the store cannot be reached; an advance that was rejected may still
 * have happened.
 */
export interface CacheGenerationStore {
  /**
   * Returns the current generation. Sees every advance that was acknowledged before the call, in any process. A server that cannot
   * guarantee this, such as a primary that was cut off from its set, must not answer. Returns number 0 and an empty id before the first
   * advance.
   */
  read(): Promise<CacheGeneration>;
  /**
   * Begins generation `from + 1` with `cacheId` if `from` is still current, in one atomic step; otherwise changes nothing. Returns the
   * generation that is current afterwards, which may be that of a faster process. Numbers never decrease.
   */
  advance(from: number, cacheId: string): Promise<CacheGeneration>;
}
