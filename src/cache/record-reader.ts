import type { CacheEntry } from "../ports/record-cache.ts";
import type { Flight, Flights } from "./flights.ts";
import type { LookUp } from "./look-up.ts";
import type { ProcessLevel } from "./process-level.ts";
import type { CacheDirective, ReadAnswer } from "./reading.ts";
import type { CacheTrust } from "./trust.ts";

export interface RecordReader {
  /**
   * Returns the record, from a cache if that can be trusted, otherwise from the store. Returns a promise unless the process has the record.
   * Rejects with STORE_UNAVAILABLE.
   */
  read(tenant: string, keyId: string, directive: CacheDirective): ReadAnswer | Promise<ReadAnswer>;
  /**
   * The same for up to 1000 keys, in their order, with one round trip to each level that must be asked. Each key has its own result or
   * failure. Never rejects.
   */
  readMany(tenant: string, keyIds: readonly string[], directive: CacheDirective): Promise<PromiseSettledResult<ReadAnswer>[]>;
}

export interface RecordReaderOptions {
  readonly processLevel: ProcessLevel;
  readonly flights: Flights<ReadAnswer>;
  readonly lookUp: LookUp;
  readonly trust: Pick<CacheTrust, "epoch">;
}

/** Reads from the process first. Misses are looked up, and concurrent misses of one key share one look-up. */
export function createRecordReader({ processLevel, flights, lookUp, trust }: RecordReaderOptions): RecordReader {
  /** Waits for the look-up of another caller. If that may not use the caches and the store fails, this caller still may. */
  const join = (tenant: string, flight: Flight<ReadAnswer>): Promise<ReadAnswer> => {
    if (!flight.isBypass) return flight.result;
    return flight.result.catch((error: unknown) => {
      const own = flights.start(tenant, flight.keyId, trust.epoch);
      void lookUp.withoutStore(tenant, [own], error);
      return own.result;
    });
  };

  const lookUpShared = (tenant: string, keyIds: readonly string[]): Promise<ReadAnswer>[] => {
    const { epoch } = trust;
    const underWay = keyIds.map((keyId) => flights.find(tenant, keyId, epoch));
    const all = keyIds.map((keyId, index) => underWay[index] ?? flights.start(tenant, keyId, epoch));
    const begun = all.filter((_, index) => underWay[index] === undefined);
    if (begun.length > 0) void lookUp.throughCaches(tenant, begun);
    return all.map((flight, index) => (underWay[index] === undefined ? flight.result : join(tenant, flight)));
  };

  const lookPastCaches = (tenant: string, keyIds: readonly string[]): Promise<ReadAnswer>[] => {
    const begun = keyIds.map((keyId) => flights.start(tenant, keyId, trust.epoch, true));
    if (begun.length > 0) void lookUp.pastCaches(tenant, begun);
    return begun.map(({ result }) => result);
  };

  /** Returns results for different keys, in their order. */
  const lookUpBy = { none: lookUpShared, "no-cache": lookPastCaches, "no-store": lookUp.withoutTrace } satisfies Record<
    CacheDirective,
    unknown
  >;

  return {
    read(tenant, keyId, directive) {
      const entry = processLevel.readFirst(tenant, keyId, directive);
      if (entry !== undefined) return hit(entry);
      return lookUpBy[directive](tenant, [keyId])[0] as Promise<ReadAnswer>;
    },

    async readMany(tenant, keyIds, directive) {
      if (keyIds.length === 0) return [];
      const distinct = [...new Set(keyIds)];
      const entries = new Map(distinct.map((keyId) => [keyId, processLevel.readFirst(tenant, keyId, directive)]));
      const missing = distinct.filter((keyId) => entries.get(keyId) === undefined);
      const answers = lookUpBy[directive](tenant, missing);
      const lookedUp = new Map(missing.map((keyId, index) => [keyId, answers[index] as Promise<ReadAnswer>]));
      return Promise.allSettled(keyIds.map((keyId) => lookedUp.get(keyId) ?? hit(entries.get(keyId) as CacheEntry)));
    },
  };
}

function hit({ record }: CacheEntry): ReadAnswer {
  return { record, outcome: "hit" };
}
