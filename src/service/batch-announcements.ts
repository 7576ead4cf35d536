import type { AnnounceChanges, Change, ChangeAnnouncer } from "../cache/announce.ts";

export interface BatchAnnouncements {
  /** For the operations of the batch. Its announcements wait for `announceAll`. So must everybody who answers that a change holds. */
  readonly announcer: ChangeAnnouncer;
  /** Announces the changes of all tenants, once. Returns the errors, by the tenants whose changes could not be announced. */
  announceAll(): Promise<ReadonlyMap<string, unknown>>;
}

interface OfTenant {
  readonly announce: AnnounceChanges;
  /** By key id: of several changes of a key, the last. */
  readonly changes: Map<string, Change>;
}

/**
 * Collects what the operations of one batch announce. While the shared cache accepts no changes, every announcement waits for a
 * generation, so operations that run one after the other would wait for one each.
 */
export function collectAnnouncements(announcer: ChangeAnnouncer): BatchAnnouncements {
  const tenants = new Map<string, OfTenant>();

  /** The first operation for a tenant begins the announcement before it asks the store, and so before all the others do. */
  const begin = (tenant: string): OfTenant => {
    const begun = tenants.get(tenant) ?? { announce: announcer.beginChanges(tenant), changes: new Map() };
    tenants.set(tenant, begun);
    return begun;
  };
  const note = ({ changes }: OfTenant, change: Change) => {
    if (change.revision >= (changes.get(change.keyId)?.revision ?? 0)) changes.set(change.keyId, change);
  };

  return {
    announcer: {
      ...announcer,
      beginChange(tenant, keyId) {
        const begun = begin(tenant);
        return async (record, revision) => note(begun, { keyId, record, revision });
      },
      beginChanges(tenant) {
        const begun = begin(tenant);
        return async (changes) => {
          for (const change of changes) note(begun, change);
        };
      },
    },

    async announceAll() {
      const errors = new Map<string, unknown>();
      const announceOf = async ([tenant, { announce, changes }]: readonly [string, OfTenant]) => {
        if (changes.size === 0) return;
        await announce([...changes.values()]).catch((error: unknown) => void errors.set(tenant, error));
      };
      await Promise.all([...tenants].map(announceOf));
      return errors;
    },
  };
}
