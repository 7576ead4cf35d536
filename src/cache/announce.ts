import type { KeyRecord } from "../core/key.ts";
import type { Clock } from "../ports/clock.ts";
import type { KeyStore } from "../ports/key-store.ts";
import type { RecordCache } from "../ports/record-cache.ts";
import type { SharedCache } from "../ports/shared-cache.ts";
import { type EntryLives, entryOf } from "./entry.ts";
import type { Flights } from "./flights.ts";
import type { Announced } from "./settlement.ts";
import type { CacheTrust } from "./trust.ts";

/**
 * Announces a change that the store has acknowledged; `record` is null if the key was deleted. After it resolves, no read that starts later
 * in this process returns an older record, and none in another process does beyond the bound of docs/guarantees.md. Rejects if that cannot
 * be guaranteed; the change must then not be acknowledged.
 */
export type AnnounceChange = (record: KeyRecord | null, revision: number) => Promise<void>;

/** The same for up to 1000 keys, each in one change: few round trips, and one question to the store. */
export type AnnounceChanges = (changes: readonly Change[]) => Promise<void>;

/** A changed or deleted key. The revision of a deleted one is that of its tombstone. */
export interface Change {
  readonly keyId: string;
  /** Null if the key was deleted. */
  readonly record: KeyRecord | null;
  readonly revision: number;
}

/**
 * Call before the store operation whose result you will announce: the caches must be able to tell that the announced change is older than
 * a newer one.
 */
export interface ChangeAnnouncer {
  beginChange(tenant: string, keyId: string): AnnounceChange;
  beginChanges(tenant: string): AnnounceChanges;
  /** Call it if changes that nobody knows may not have been announced. Empties all caches. Resolves and rejects as an announcement does. */
  announceUnknown(): Promise<void>;
}

export interface ChangeAnnouncerOptions {
  readonly store: Pick<KeyStore, "getMany">;
  readonly local: RecordCache;
  readonly shared: SharedCache | null;
  readonly trust: CacheTrust;
  readonly flights: Pick<Flights<unknown>, "supersede">;
  readonly clock: Clock;
  readonly lives: EntryLives;
}

export function createChangeAnnouncer({ store, local, shared, trust, flights, clock, lives }: ChangeAnnouncerOptions): ChangeAnnouncer {
  const generationNow = () => trust.generationOf(shared?.cacheId ?? null);

  /** Returns null if nothing was announced, or if the outcome is unknown. */
  const announceToOthers = async (
    generation: number | null,
    tenant: string,
    changes: readonly Change[],
    askedMs: number,
  ): Promise<Announced | null> => {
    if (shared === null || generation === null) return null;
    const entries = changes.map(({ keyId, record, revision }) => [keyId, entryOf(lives, record, revision, askedMs)] as const);
    if (entries.some(([, { deadlineMs }]) => clock() >= deadlineMs)) return null;
    const cacheId = await shared.announce(generation, tenant, entries);
    return cacheId === null ? null : { cacheId, generation };
  };

  /**
   * Call it only after the changes were announced: until then, the shared cache can return older records. Nothing replaces what is dropped,
   * because something newer may have come and gone.
   */
  const dropHere = (tenant: string, changes: readonly Change[]) => {
    for (const { keyId, revision } of changes) {
      flights.supersede(tenant, keyId);
      local.dropOlder(tenant, keyId, revision);
    }
  };

  /**
   * Announces what the store has of changed keys now, after a newer generation became known. Their own change may have been followed by a
   * newer one that was announced under the older generation only, so it must not be announced as it was.
   */
  const announceAsStored = async (tenant: string, changes: readonly Change[]): Promise<Announced | null> => {
    const generation = generationNow();
    if (generation === null) return null;
    const askedMs = clock();
    const keyIds = changes.map(({ keyId }) => keyId);
    const records = await store.getMany(tenant, keyIds).catch(() => null);
    if (records === null) return null;
    const stored = changes.map((change, index) => changeAsStored(change, records[index] ?? null));
    // A store that does not have the change has not caught up.
    if (stored.some((change, index) => change.revision < (changes[index] as Change).revision)) return null;
    const announced = await announceToOthers(generation, tenant, stored, askedMs);
    dropHere(tenant, stored);
    return announced;
  };

  const beginChanges = (tenant: string): AnnounceChanges => {
    // Under a later generation, a record that is no longer the newest would not meet the newer one there.
    const generation = generationNow();
    const askedMs = clock();
    return async (changes) => {
      const announced = await announceToOthers(generation, tenant, changes, askedMs);
      dropHere(tenant, changes);
      // Once it was refused, it would be refused again.
      const mayTryAgain = shared !== null && (announced !== null || generation === null);
      await trust.settle(announced, mayTryAgain ? () => announceAsStored(tenant, changes) : undefined);
    };
  };

  return {
    beginChanges,

    beginChange(tenant, keyId) {
      const announce = beginChanges(tenant);
      return (record, revision) => announce([{ keyId, record, revision }]);
    },

    async announceUnknown() {
      // A process that has the store to itself begins no generation, which would do this.
      local.clear();
      await trust.settle(null);
    },
  };
}

/** The announcement of a changed key, from the record that the store returned for it. */
function changeAsStored({ keyId, record, revision }: Change, stored: KeyRecord | null): Change {
  if (stored !== null) return { keyId, record: stored, revision: stored.revision };
  // Deleted after the change: the tombstone's revision is higher than that of any record before it.
  return { keyId, record: null, revision: record === null ? revision : revision + 1 };
}
