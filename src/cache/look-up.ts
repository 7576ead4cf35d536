import type { KeyRecord } from "../core/key.ts";
import { isSettingRecordId } from "../core/setting-record.ts";
import type { Clock } from "../ports/clock.ts";
import type { KeyStore } from "../ports/key-store.ts";
import type { CacheEntry } from "../ports/record-cache.ts";
import { type EntryLives, entryOf } from "./entry.ts";
import type { Flight } from "./flights.ts";
import type { ProcessLevel } from "./process-level.ts";
import type { CacheOutcome, ObserveRead, ReadAnswer } from "./reading.ts";
import type { SharedLevel } from "./shared-level.ts";
import type { CacheTrust } from "./trust.ts";

type Wanted = Flight<ReadAnswer>;

/** Looks up keys in the shared cache and then the store. Ends every flight that it is given. Never rejects. */
export interface LookUp {
  throughCaches(tenant: string, wanted: readonly Wanted[]): Promise<void>;
  /** Asks only the store. The caches keep the result. */
  pastCaches(tenant: string, wanted: readonly Wanted[]): Promise<void>;
  /** Asks only the caches, because the store failed with this error. */
  withoutStore(tenant: string, wanted: readonly Wanted[], error: unknown): Promise<void>;
  /** Asks only the store and keeps nothing. Returns an answer for each key, which rejects if the store does. */
  withoutTrace(tenant: string, keyIds: readonly string[]): Promise<ReadAnswer>[];
}

export interface LookUpOptions {
  readonly store: Pick<KeyStore, "get" | "getMany">;
  readonly processLevel: ProcessLevel;
  readonly sharedLevel: SharedLevel;
  readonly trust: CacheTrust;
  readonly clock: Clock;
  readonly lives: EntryLives;
  readonly observe: ObserveRead | undefined;
}

export function createLookUp({ store, processLevel, sharedLevel, trust, clock, lives, observe }: LookUpOptions): LookUp {
  /** Every insert of a setting is announced, unlike that of an issued key. So its absence may be cached as long as a record. */
  const settingLives = { ...lives, negativeCacheTtlMs: lives.cacheTtlMs };

  const observed = (record: KeyRecord | null): KeyRecord | null => {
    observe?.("store", record === null ? "miss" : "hit");
    return record;
  };

  const getFromStore = async (tenant: string, keyIds: readonly string[]): Promise<(KeyRecord | null)[]> =>
    keyIds.length === 1 ? [observed(await store.get(tenant, keyIds[0] as string))] : (await store.getMany(tenant, keyIds)).map(observed);

  /** Ends all wanted flights, or rejects and ends none of them. */
  const askStore = async (tenant: string, wanted: readonly Wanted[], outcome: CacheOutcome): Promise<void> => {
    const generation = sharedLevel.generation();
    const askedMs = clock();
    const records = await getFromStore(
      tenant,
      wanted.map(({ keyId }) => keyId),
    );
    for (const [index, flight] of wanted.entries()) {
      const record = records[index] ?? null;
      const entry = entryOf(isSettingRecordId(flight.keyId) ? settingLives : lives, record, record?.revision ?? 0, askedMs);
      processLevel.keep(flight, tenant, entry);
      sharedLevel.fill(generation, flight, tenant, entry);
      flight.land({ record, outcome });
    }
  };

  /** Ends the flights for which a cache has an entry, and returns the rest. `entries` are the entries of one cache, by index. */
  const answerFromCaches = (tenant: string, wanted: readonly Wanted[], entries: readonly (CacheEntry | undefined)[]): readonly Wanted[] =>
    wanted.filter((flight, index) => {
      const entry = entries[index] ?? processLevel.read("last", tenant, flight.keyId);
      if (entry !== undefined) flight.land({ record: entry.record, outcome: "hit" });
      return entry === undefined;
    });

  /**
   * If the store fails, the caches are asked once more, by the rules of that moment. If this process was paused while the store was lost,
   * its lease ends before it can know that the store is lost. Until it knows, it may not trust the caches; after that it may. What may be
   * returned to a call that starts now may also be returned to one that started earlier.
   */
  const answerWithoutStore = async (tenant: string, wanted: readonly Wanted[], error: unknown): Promise<void> => {
    await trust.judgeOutage();
    const first = wanted.map(({ keyId }) => processLevel.read("first", tenant, keyId));
    const elsewhere = answerFromCaches(tenant, wanted, first);
    const missing = elsewhere.length === 0 ? elsewhere : answerFromCaches(tenant, elsewhere, await sharedLevel.read(tenant, elsewhere));
    for (const flight of missing) flight.fail(error);
  };

  return {
    async throughCaches(tenant, wanted) {
      const missing = answerFromCaches(tenant, wanted, await sharedLevel.read(tenant, wanted));
      if (missing.length === 0) return;
      await askStore(tenant, missing, "miss").catch((error: unknown) => answerWithoutStore(tenant, missing, error));
    },

    async pastCaches(tenant, wanted) {
      await askStore(tenant, wanted, "bypass").catch((error: unknown) => wanted.forEach((flight) => void flight.fail(error)));
    },

    withoutStore: answerWithoutStore,

    withoutTrace(tenant, keyIds) {
      // One key needs no list: ten promises cost as much as a read of SQLite.
      if (keyIds.length === 1) return [store.get(tenant, keyIds[0] as string).then((record) => bypassing(observed(record)))];
      const answers = getFromStore(tenant, keyIds).then((records) => records.map(bypassing));
      return keyIds.map((_, index) => answers.then((all) => all[index] as ReadAnswer));
    },
  };
}

function bypassing(record: KeyRecord | null): ReadAnswer {
  return { record, outcome: "bypass" };
}
