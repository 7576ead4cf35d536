import type { KeyRecord } from "../../src/core/key.ts";
import { tenantOfRecord } from "../../src/core/tenant.ts";

/** An acknowledged change: after it, nobody may return a lower revision, beyond the bound. */
export interface Acknowledged {
  readonly revision: number;
  readonly process: number;
  readonly life: number;
  readonly begunMs: number;
  readonly atMs: number;
}

/** What happened to keys: every state of the store, and all acknowledgements. */
export interface History {
  committed(keyId: string, revision: number, record: KeyRecord | null): void;
  /** The lowest revision at which the key was revoked, among those in force at that moment or later; null: none. */
  revokedSince(keyId: string, sinceMs: number): number | null;
  /** The lowest revision at which the key was deleted, among those in force at that moment or later; null: none. */
  deletedSince(keyId: string, sinceMs: number): number | null;
  acknowledged(keyId: string, change: Acknowledged): void;
  changesOf(keyId: string): readonly Acknowledged[];
  /** The newest revision that an answer may represent; `record` is null if the answer says that there is no such key. */
  newestFor(keyId: string, record: KeyRecord | null): number;
  /** The newest revision at which the tenant with this record was suspended, or was not. 0: none. */
  newestOfTenant(keyId: string, isSuspended: boolean): number;
}

export function createHistory(nowMs: () => number): History {
  const states = new Map<
    string,
    { readonly revision: number; readonly isRevoked: boolean; readonly isDeleted: boolean; readonly atMs: number }[]
  >();
  const absences = new Map<string, number>();
  const changes = new Map<string, Acknowledged[]>();
  const inForceSince = (keyId: string, sinceMs: number) => {
    const known = states.get(keyId) ?? [];
    const inForce = known.findLastIndex(({ atMs }) => atMs <= sinceMs);
    return known.slice(Math.max(0, inForce));
  };
  return {
    committed(keyId, revision, record) {
      if (record === null) absences.set(keyId, revision);
      const known = states.get(keyId) ?? [];
      known.push({ revision, isRevoked: record !== null && isOff(record), isDeleted: record === null, atMs: nowMs() });
      states.set(keyId, known);
    },
    revokedSince: (keyId, sinceMs) => inForceSince(keyId, sinceMs).find(({ isRevoked }) => isRevoked)?.revision ?? null,
    deletedSince: (keyId, sinceMs) => inForceSince(keyId, sinceMs).find(({ isDeleted }) => isDeleted)?.revision ?? null,
    acknowledged(keyId, change) {
      const known = changes.get(keyId) ?? [];
      known.push(change);
      changes.set(keyId, known);
    },
    changesOf: (keyId) => changes.get(keyId) ?? [],
    newestOfTenant: (keyId, isSuspended) => states.get(keyId)?.findLast(({ isRevoked }) => isRevoked === isSuspended)?.revision ?? 0,
    newestFor: (keyId, record) => record?.revision ?? absences.get(keyId) ?? 0,
  };
}

/** Returns whether the key is refused, or the tenant suspended. */
function isOff(record: KeyRecord): boolean {
  return record.kind === "tenant" ? tenantOfRecord(record).suspended : record.revocation !== null || record.disabled;
}
