/** Which entries of the shared cache may be believed: those of this generation, in the cache server with this identity. */
export interface CacheGeneration {
  /** 0 before the first advance. */
  readonly number: number;
  /** What the shared cache server (or servers) called itself when the generation began; changes when one restarts or fails over. Any text. */
  readonly cacheId: string;
}

/**
 * Keeps the cache generation beside the keys, for all processes of a store. What it answered survives a crash of the process or the machine,
 * and a failover. Rejects with Failure STORE_UNAVAILABLE if the store cannot be reached; an advance that was rejected may have happened.
 */
export interface CacheGenerationStore {
  /**
   * The generation in force. Sees every advance that was acknowledged before the call, in any process: a server that cannot be sure of that,
   * such as a primary that was cut off from its set, must not answer. Number 0 and an empty id before the first advance.
   */
  read(): Promise<CacheGeneration>;
  /**
   * Begins generation `from + 1` with `cacheId` if `from` is still the one in force, in one atomic step; else changes nothing. Returns the
   * generation then in force, which is another process's if that one was faster. Numbers never go back.
   */
  advance(from: number, cacheId: string): Promise<CacheGeneration>;
}
