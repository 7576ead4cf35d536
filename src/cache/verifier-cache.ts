import type { Clock } from "../ports/clock.ts";
import type { KeyStore } from "../ports/key-store.ts";
import type { CacheEntry, RecordCache } from "../ports/record-cache.ts";
import type { SharedCache } from "../ports/shared-cache.ts";
import { type ChangeAnnouncer, createChangeAnnouncer } from "./announce.ts";
import type { EntryLives } from "./entry.ts";
import { createFlights } from "./flights.ts";
import { createLookUp } from "./look-up.ts";
import { createProcessLevel } from "./process-level.ts";
import type { ObserveRead, ReadAnswer } from "./reading.ts";
import { createRecordReader, type RecordReader } from "./record-reader.ts";
import { createSharedLevel, noSharedLevel } from "./shared-level.ts";
import type { CacheTrust } from "./trust.ts";

export interface VerifierCache {
  readonly reader: RecordReader;
  readonly announcer: ChangeAnnouncer;
  /** Returns what the process knows about a record and may trust now. Does not wait, and does not count as a read. */
  peek(tenant: string, keyId: string): CacheEntry | undefined;
}

export interface VerifierCacheOptions extends EntryLives {
  readonly store: Pick<KeyStore, "get" | "getMany">;
  readonly local: RecordCache;
  /** Null if the in-process cache is the only one. */
  readonly shared: SharedCache | null;
  readonly trust: CacheTrust;
  readonly clock: Clock;
  readonly monotonicMs: () => number;
  /** How long entries are served beyond their deadline while the store is lost. */
  readonly graceMs: number;
  /** Called for each change by another process, once reads see it. */
  readonly onChange?: ((tenant: string, keyId: string) => void) | undefined;
  /** Undefined if reads are not counted. */
  readonly observe?: ObserveRead | undefined;
}

/** The two-level verifier cache: in-process, then shared, then the store. */
export function createVerifierCache(options: VerifierCacheOptions): VerifierCache {
  const { store, local, shared, trust, clock, graceMs, observe } = options;
  const flights = createFlights<ReadAnswer>(options.monotonicMs);

  shared?.subscribe({
    onChange(tenant, keyId, revision) {
      flights.supersede(tenant, keyId);
      local.dropOlder(tenant, keyId, revision);
      options.onChange?.(tenant, keyId);
    },
    onBeat: trust.onBeat,
    onGap: trust.onGap,
  });

  /** While the store is lost, entries are served for `graceMs` beyond their deadline. */
  const entryTimeMs = () => (trust.mode() === "grace" ? clock() - graceMs : clock());
  const processLevel = createProcessLevel({ local, trust, clock, entryTimeMs, hasSharedCache: shared !== null, observe });
  const sharedLevel = shared === null ? noSharedLevel : createSharedLevel({ shared, trust, processLevel, entryTimeMs, observe });
  const lookUp = createLookUp({ store, processLevel, sharedLevel, trust, clock, lives: options, observe });
  return {
    reader: createRecordReader({ processLevel, flights, lookUp, trust }),
    announcer: createChangeAnnouncer({ store, local, shared, trust, flights, clock, lives: options }),
    peek: (tenant, keyId) => processLevel.read("first", tenant, keyId),
  };
}
