import type { DatabaseSync } from "node:sqlite";
import type { KeyRecord } from "../../core/key.ts";
import type { KeyUse } from "../../ports/key-store.ts";
import { disabledReason } from "./row.ts";

/**
 * The use of quotas: the keys of each tenant that are not revoked, one for each chain of rotations. Call `added` and `replaced` in a
 * transaction.
 */
export interface KeyCounts {
  /** Counts a new key. */
  added(tenant: string, record: KeyRecord): void;
  /** Counts a key after its record was replaced. */
  replaced(tenant: string, before: CountedState, record: KeyRecord): void;
  /** Returns the use of a tenant's quota if the quota has no room for a new key. */
  fullQuotaOf(tenant: string): KeyUse | null;
}

/** The columns that decide whether a key counts. */
export interface CountedState {
  readonly revocationReason: string | null;
  /** 1: not revoked, but another key of its chain counts for it. */
  readonly placeless: number;
}

/** `maxKeysOf` returns the maximum keys of a tenant that are not revoked; null: unlimited. */
export function prepareKeyCounts(database: DatabaseSync, maxKeysOf: (tenant: string) => number | null): KeyCounts {
  const change = database.prepare(
    "INSERT INTO key_counts (tenant, used) VALUES (?, ?) ON CONFLICT (tenant) DO UPDATE SET used = used + excluded.used",
  );
  const selectUsed = database.prepare("SELECT used FROM key_counts WHERE tenant = ?");

  return {
    added(tenant, { revocation }) {
      if (revocation === null) change.run(tenant, 1);
    },
    replaced(tenant, { revocationReason, placeless }, { revocation }) {
      const counted = revocationReason === null || revocationReason === disabledReason;
      const counts = revocation === null;
      if (placeless === 0 && counted !== counts) change.run(tenant, counts ? 1 : -1);
    },
    fullQuotaOf(tenant) {
      const limit = maxKeysOf(tenant);
      if (limit === null) return null;
      const row = selectUsed.get(tenant) as { used: number } | undefined;
      const used = row?.used ?? 0;
      return used < limit ? null : { limit, used };
    },
  };
}
