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

export interface ReadAnswer {
  /** Null: there is no such key. */
  readonly record: KeyRecord | null;
  readonly outcome: CacheOutcome;
}

/**
 * Tells of a change that the store has acknowledged; `record` is null where the key was deleted. When it resolves, no read that starts
 * later in this process answers an older record, and none in another process does beyond the bound of design.md section 6. Rejects
 * where that cannot be promised: then the change must not be acknowledged.
 */
export type TellChange = (record: KeyRecord | null, revision: number) => Promise<void>;

export interface RecordReader {
  /** The record, out of a cache as far as the caches can be trusted, else from the store. Rejects with STORE_UNAVAILABLE. */
  read(tenant: string, keyId: string, directive: CacheDirective): Promise<ReadAnswer>;
  /**
   * To be called before the store is asked for anything that is told of afterwards: the caches must be able to see that what they are told
   * was made before something newer.
   */
  beginChange(tenant: string, keyId: string): TellChange;
}

export interface RecordReaderOptions {
  readonly store: Pick<KeyStore, "get">;
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
}

/** The two-level verifier cache: in-process, then shared, then the store, with concurrent misses of one key sharing one way down. */
export function createRecordReader(options: RecordReaderOptions): RecordReader {
  const { store, local, shared, trust, clock, cacheTtlMs, negativeCacheTtlMs, graceMs } = options;
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

  const loadFromStore = async (flight: Flight, tenant: string, keyId: string): Promise<KeyRecord | null> => {
    const generation = trust.generationOf(shared?.cacheId ?? null);
    const askedMs = clock();
    const record = await store.get(tenant, keyId);
    const entry = entryOf(record, record?.revision ?? 0, askedMs);
    keepLocally(flight, tenant, keyId, entry);
    if (generation !== null && isSound(flight)) shared?.fill(generation, tenant, keyId, entry);
    return record;
  };

  const readShared = async (flight: Flight, tenant: string, keyId: string): Promise<CacheEntry | undefined> => {
    const generation = trust.generationOf(shared?.cacheId ?? null);
    if (shared === null || generation === null || trust.mode() === "none") return undefined;
    const answer = await shared.read(generation, tenant, [keyId]);
    if (answer === null || flight.epoch !== trust.epoch || trust.generationOf(answer.cacheId) !== generation) return undefined;
    if (trust.mode() === "none") return undefined;
    const entry = answer.entries[0];
    if (entry === undefined || entryTimeMs() >= entry.deadlineMs) return undefined;
    keepLocally(flight, tenant, keyId, entry);
    return entry;
  };

  const readLocal = (use: LocalUse, tenant: string, keyId: string): CacheEntry | undefined =>
    trust.localUse() === use ? local.get(tenant, keyId, entryTimeMs()) : undefined;

  const goDown = async (flight: Flight, tenant: string, keyId: string): Promise<ReadAnswer> => {
    const entry = (await readShared(flight, tenant, keyId)) ?? readLocal("last", tenant, keyId);
    if (entry !== undefined) return { record: entry.record, outcome: "hit" };
    return { record: await loadFromStore(flight, tenant, keyId), outcome: "miss" };
  };

  return {
    async read(tenant, keyId, directive) {
      if (directive === "no-store") return { record: await store.get(tenant, keyId), outcome: "bypass" };
      if (directive === "no-cache") {
        return flights.start(tenant, keyId, trust.epoch, async (flight) => ({
          record: await loadFromStore(flight, tenant, keyId),
          outcome: "bypass",
        }));
      }
      const entry = readLocal("first", tenant, keyId);
      if (entry !== undefined) return { record: entry.record, outcome: "hit" };
      return flights.join(tenant, keyId, trust.epoch, (flight) => goDown(flight, tenant, keyId));
    },

    beginChange(tenant, keyId) {
      // Told under a later generation, a record that is no longer the newest would find nothing newer there.
      const generation = trust.generationOf(shared?.cacheId ?? null);
      const askedMs = clock();
      return async (record, revision) => {
        const entry = entryOf(record, revision, askedMs);
        const mayTell = shared !== null && generation !== null && clock() < entry.deadlineMs;
        const cacheId = mayTell ? await shared.tell(generation, tenant, keyId, entry) : null;
        // Dropped only now, since until it was told the shared cache could give the old record back, and not replaced: something newer
        // may have come and gone.
        flights.supersede(tenant, keyId);
        local.dropOlder(tenant, keyId, revision);
        await trust.settle(cacheId === null || generation === null ? null : { cacheId, generation });
      };
    },
  };
}
