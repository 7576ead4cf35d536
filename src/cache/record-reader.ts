import type { KeyRecord } from "../core/key.ts";
import type { Clock } from "../ports/clock.ts";
import type { KeyStore } from "../ports/key-store.ts";
import type { CacheEntry, RecordCache } from "../ports/record-cache.ts";
import type { SharedCache } from "../ports/shared-cache.ts";
import { createFlights, type Flight } from "./flights.ts";
import type { CacheTrust, LocalUse } from "./trust.ts";

/** What a request's Cache-Control asks for (RFC 9111): `no-cache` skips the read, `no-store` the read and the write. */
export type CacheDirective = "none" | "no-cache" | "no-store";

/** How an answer came about, as Cache-Status tells it (RFC 9211). */
export type CacheOutcome = "hit" | "miss" | "bypass";

/** Where records are looked for, in this order. */
export type CacheLevel = "process" | "shared" | "store";

/**
 * Told what each level had of a key that it was asked for. A hit of the store is a key that exists; a level is bypassed where the request
 * asks for that, or where the level could not be believed or did not answer.
 */
export type ObserveRead = (level: CacheLevel, outcome: CacheOutcome) => void;

export interface ReadAnswer {
  /** Null: there is no such key. */
  readonly record: KeyRecord | null;
  readonly outcome: CacheOutcome;
}

/**
 * Tells of a change that the store has acknowledged; `record` is null where the key was deleted. When it resolves, no read that starts
 * later in this process answers an older record, and none in another process does beyond the bound of docs/guarantees.md. Rejects
 * where that cannot be promised: then the change must not be acknowledged.
 */
export type TellChange = (record: KeyRecord | null, revision: number) => Promise<void>;

/** The same for many keys at once, up to 1000, each in one change: few round trips, and one question to the store. */
export type TellChanges = (records: readonly KeyRecord[]) => Promise<void>;

export interface RecordReader {
  /** The record, out of a cache as far as the caches can be trusted, else from the store. Rejects with STORE_UNAVAILABLE. */
  read(tenant: string, keyId: string, directive: CacheDirective): Promise<ReadAnswer>;
  /**
   * The same for up to 1000 keys, in their order: one round trip to each place that has to be asked, and each key's own answer or failure.
   * Never rejects.
   */
  readMany(tenant: string, keyIds: readonly string[], directive: CacheDirective): Promise<PromiseSettledResult<ReadAnswer>[]>;
  /**
   * To be called before the store is asked for anything that is told of afterwards: the caches must be able to see that what they are told
   * was made before something newer.
   */
  beginChange(tenant: string, keyId: string): TellChange;
  beginChanges(tenant: string): TellChanges;
}

export interface RecordReaderOptions {
  readonly store: Pick<KeyStore, "get" | "getMany">;
  readonly local: RecordCache;
  /** Null: there is none beside the in-process cache. */
  readonly shared: SharedCache | null;
  readonly trust: CacheTrust;
  readonly clock: Clock;
  readonly monotonicMs: () => number;
  /** How long a record may be served without asking the store again. */
  readonly cacheTtlMs: number;
  /** The same for "there is no such key". */
  readonly negativeCacheTtlMs: number;
  /** How long entries are served beyond their deadline while the store is lost. */
  readonly graceMs: number;
  /** Absent where nobody counts. */
  readonly observe?: ObserveRead | undefined;
}

interface Change {
  readonly keyId: string;
  readonly record: KeyRecord | null;
  readonly revision: number;
}

/** A key on its way down. */
interface Wanted {
  readonly keyId: string;
  readonly flight: Flight;
  readonly answer: PromiseWithResolvers<ReadAnswer>;
}

/** The two-level verifier cache: in-process, then shared, then the store, with concurrent misses of one key sharing one way down. */
export function createRecordReader(options: RecordReaderOptions): RecordReader {
  const { store, local, shared, trust, clock, cacheTtlMs, negativeCacheTtlMs, graceMs, observe } = options;
  const flights = createFlights<ReadAnswer>(options.monotonicMs);

  shared?.subscribe({
    onChange(tenant, keyId, revision) {
      flights.supersede(tenant, keyId);
      local.dropOlder(tenant, keyId, revision);
    },
    onBeat: trust.onBeat,
    onGap: trust.onGap,
  });

  /** While the store is lost an entry counts as if time had stood still since. */
  const entryTimeMs = () => (trust.mode() === "grace" ? clock() - graceMs : clock());

  /** Deadlines count from the moment before the store was asked, so that of two records of a key the older one never outlives the newer. */
  const entryOf = (record: KeyRecord | null, revision: number, askedMs: number): CacheEntry => ({
    record,
    revision,
    deadlineMs: askedMs + (record === null && revision === 0 ? negativeCacheTtlMs : cacheTtlMs),
  });

  /** What was read on a flight may be kept only while nothing has put it in doubt since the flight began. */
  const isSound = (flight: Flight) => !flight.superseded && flight.epoch === trust.epoch;

  const keepLocally = (flight: Flight, tenant: string, keyId: string, entry: CacheEntry) => {
    if (isSound(flight)) local.putIfNewer(tenant, keyId, entry, clock());
  };

  const getFromStore = async (tenant: string, keyIds: readonly string[]): Promise<(KeyRecord | null)[]> => {
    const records = keyIds.length === 1 ? [await store.get(tenant, keyIds[0] as string)] : await store.getMany(tenant, keyIds);
    if (observe !== undefined) for (const record of records) observe("store", record === null ? "miss" : "hit");
    return records;
  };

  /** Answers all that is wanted, or rejects: then nothing of it is answered. */
  const askStore = async (tenant: string, wanted: readonly Wanted[], outcome: CacheOutcome): Promise<void> => {
    const generation = trust.generationOf(shared?.cacheId ?? null);
    const askedMs = clock();
    const records = await getFromStore(
      tenant,
      wanted.map(({ keyId }) => keyId),
    );
    for (const [index, { keyId, flight, answer }] of wanted.entries()) {
      const record = records[index] ?? null;
      const entry = entryOf(record, record?.revision ?? 0, askedMs);
      keepLocally(flight, tenant, keyId, entry);
      if (generation !== null && isSound(flight)) shared?.fill(generation, tenant, keyId, entry);
      answer.resolve({ record, outcome });
    }
  };

  const bypassShared = (wanted: readonly Wanted[]): [] => {
    if (observe !== undefined && shared !== null) for (const _ of wanted) observe("shared", "bypass");
    return [];
  };

  /** What the shared cache has of it, as far as that can be believed; undefined for the rest. */
  const askShared = async (tenant: string, wanted: readonly Wanted[]): Promise<readonly (CacheEntry | undefined)[]> => {
    const generation = trust.generationOf(shared?.cacheId ?? null);
    if (shared === null || generation === null || trust.mode() === "none") return bypassShared(wanted);
    const { epoch } = trust;
    const answer = await shared.read(
      generation,
      tenant,
      wanted.map(({ keyId }) => keyId),
    );
    if (answer === null || trust.generationOf(answer.cacheId) !== generation || trust.mode() === "none") return bypassShared(wanted);
    const nowMs = entryTimeMs();
    return wanted.map(({ keyId, flight }, index) => {
      const entry = answer.entries[index];
      const isUsable = entry !== undefined && epoch === trust.epoch && nowMs < entry.deadlineMs;
      observe?.("shared", isUsable ? "hit" : "miss");
      if (!isUsable) return undefined;
      keepLocally(flight, tenant, keyId, entry);
      return entry;
    });
  };

  const readLocal = (use: LocalUse, tenant: string, keyId: string): CacheEntry | undefined => {
    if (trust.localUse() !== use) return undefined;
    // A hit, which is nearly every read, asks for the mode no second time.
    return local.get(tenant, keyId, clock()) ?? (trust.mode() === "grace" ? local.get(tenant, keyId, entryTimeMs()) : undefined);
  };

  /** The first question of every read. */
  const readFirst = (tenant: string, keyId: string, directive: CacheDirective): CacheEntry | undefined => {
    const entry = directive === "none" ? readLocal("first", tenant, keyId) : undefined;
    if (observe !== undefined) {
      const isAsked = directive === "none" && trust.localUse() === "first";
      observe("process", entry !== undefined ? "hit" : isAsked ? "miss" : "bypass");
      if (directive !== "none" && shared !== null) observe("shared", "bypass");
    }
    return entry;
  };

  /** Answers what the caches have, and returns the rest. `entries` is what the shared cache has. */
  const answerFromCaches = (tenant: string, wanted: readonly Wanted[], entries: readonly (CacheEntry | undefined)[]): readonly Wanted[] =>
    wanted.filter(({ keyId, answer }, index) => {
      const entry = entries[index] ?? readLocal("last", tenant, keyId);
      if (entry !== undefined) answer.resolve({ record: entry.record, outcome: "hit" });
      return entry === undefined;
    });

  /**
   * What the store could not answer is looked for in the caches once more, by the rules of that moment. When this process stood still while the
   * store went, its lease is over before it can know that the store is lost: until then the caches may not be believed, and from then on they
   * may. Whatever may be answered to a call that begins now may be answered to one that began before.
   */
  const answerWithoutStore = async (tenant: string, wanted: readonly Wanted[], error: unknown): Promise<void> => {
    await trust.judgeOutage();
    const first = wanted.map(({ keyId }) => readLocal("first", tenant, keyId));
    const elsewhere = answerFromCaches(tenant, wanted, first);
    const missing = elsewhere.length === 0 ? elsewhere : answerFromCaches(tenant, elsewhere, await askShared(tenant, elsewhere));
    for (const { answer } of missing) answer.reject(error);
  };

  /** Answers all that is wanted; never rejects. */
  const goDown = async (tenant: string, wanted: readonly Wanted[]): Promise<void> => {
    const missing = answerFromCaches(tenant, wanted, await askShared(tenant, wanted));
    if (missing.length === 0) return;
    await askStore(tenant, missing, "miss").catch((error: unknown) => answerWithoutStore(tenant, missing, error));
  };

  const goPastCaches = (tenant: string, wanted: readonly Wanted[]): Promise<void> =>
    askStore(tenant, wanted, "bypass").catch((error: unknown) => wanted.forEach(({ answer }) => void answer.reject(error)));

  /** The way down for each key, those together that are not under way already. */
  const send = (tenant: string, keyIds: readonly string[], directive: "none" | "no-cache"): Promise<ReadAnswer>[] => {
    const wanted: Wanted[] = [];
    const answers = keyIds.map((keyId) =>
      flights[directive === "none" ? "join" : "start"](tenant, keyId, trust.epoch, (flight) => {
        const answer = Promise.withResolvers<ReadAnswer>();
        wanted.push({ keyId, flight, answer });
        return answer.promise;
      }),
    );
    if (wanted.length > 0) void (directive === "none" ? goDown(tenant, wanted) : goPastCaches(tenant, wanted));
    return answers;
  };

  const bypass = async (tenant: string, keyIds: readonly string[]): Promise<ReadAnswer[]> => {
    const records = await getFromStore(tenant, keyIds);
    return records.map((record) => ({ record, outcome: "bypass" }));
  };

  const begin = (tenant: string) => {
    // Told under a later generation, a record that is no longer the newest would find nothing newer there.
    const generation = trust.generationOf(shared?.cacheId ?? null);
    const askedMs = clock();
    return async (changes: readonly Change[]): Promise<void> => {
      const entries = changes.map(({ keyId, record, revision }) => [keyId, entryOf(record, revision, askedMs)] as const);
      const mayTell = shared !== null && generation !== null && entries.every(([, { deadlineMs }]) => clock() < deadlineMs);
      const cacheId = mayTell ? await shared.tell(generation, tenant, entries) : null;
      for (const { keyId, revision } of changes) {
        // Dropped only now, since until it was told the shared cache could give the old record back, and not replaced: something newer
        // may have come and gone.
        flights.supersede(tenant, keyId);
        local.dropOlder(tenant, keyId, revision);
      }
      await trust.settle(cacheId === null || generation === null ? null : { cacheId, generation });
    };
  };

  return {
    async read(tenant, keyId, directive) {
      const entry = readFirst(tenant, keyId, directive);
      if (entry !== undefined) return { record: entry.record, outcome: "hit" };
      if (directive === "no-store") return (await bypass(tenant, [keyId]))[0] as ReadAnswer;
      return send(tenant, [keyId], directive)[0] as Promise<ReadAnswer>;
    },

    async readMany(tenant, keyIds, directive) {
      if (keyIds.length === 0) return [];
      const distinct = [...new Set(keyIds)];
      const answers = new Map<string, Promise<ReadAnswer>>();
      const missing = distinct.filter((keyId) => {
        const entry = readFirst(tenant, keyId, directive);
        if (entry !== undefined) answers.set(keyId, Promise.resolve({ record: entry.record, outcome: "hit" }));
        return entry === undefined;
      });
      if (directive === "no-store") {
        const records = bypass(tenant, missing);
        for (const [index, keyId] of missing.entries())
          answers.set(
            keyId,
            records.then((all) => all[index] as ReadAnswer),
          );
      } else {
        const sent = send(tenant, missing, directive);
        for (const [index, keyId] of missing.entries()) answers.set(keyId, sent[index] as Promise<ReadAnswer>);
      }
      return Promise.allSettled(keyIds.map((keyId) => answers.get(keyId) as Promise<ReadAnswer>));
    },

    beginChange(tenant, keyId) {
      const tell = begin(tenant);
      return (record, revision) => tell([{ keyId, record, revision }]);
    },

    beginChanges(tenant) {
      const tell = begin(tenant);
      return (records) => tell(records.map((record) => ({ keyId: record.keyId, record, revision: record.revision })));
    },
  };
}
