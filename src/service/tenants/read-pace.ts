import type { CacheTrust } from "../../cache/trust.ts";

/** Says when a process reads all tenants because it may not hear of changes. */
export interface ReadPace {
  /** Reads, and takes the time. */
  read(readAll: () => Promise<void>): Promise<void>;
  /**
   * While the process may not hear of changes although the store answers, returns true at every fourth call, if ten times the duration of
   * the last read has passed. Each call of the API then reads the record of its tenant, but hosts and prefixes are found in memory.
   */
  isDue(): boolean;
}

const callsPerRead = 4;
/**
 * Time between two reads, as a multiple of the duration of the first one. So reads take at most a tenth of the store's time, and of ours.
 */
const restPerRead = 10;

export function createReadPace(trust: Pick<CacheTrust, "mode" | "localUse">, monotonicMs: () => number): ReadPace {
  let deafCalls = 0;
  let restUntilMs = Number.NEGATIVE_INFINITY;
  return {
    async read(readAll) {
      const startMs = monotonicMs();
      try {
        await readAll();
      } finally {
        const endMs = monotonicMs();
        restUntilMs = endMs + restPerRead * (endMs - startMs);
      }
    },
    isDue() {
      // A slow store gets no further work.
      if (trust.mode() !== "leased") return false;
      deafCalls = trust.localUse() === "first" ? 0 : deafCalls + 1;
      return deafCalls % callsPerRead === 1 && monotonicMs() >= restUntilMs;
    },
  };
}
