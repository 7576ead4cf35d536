import type { DatabaseSync } from "node:sqlite";

/** Values that no two records share (see `claimsOf` in the core). Call the changing functions in the transaction that writes the record. */
export interface Claims {
  /** Returns whether no other record has one of them. */
  areFree(tenant: string, keyId: string, claims: readonly string[]): boolean;
  /** Gives a record exactly these claims, which must be free. */
  set(tenant: string, keyId: string, claims: readonly string[]): void;
}

export function prepareClaims(database: DatabaseSync): Claims {
  const selectOther = database.prepare("SELECT 1 FROM claims WHERE claim = ? AND NOT (tenant = ? AND key_id = ?)");
  const removeAll = database.prepare("DELETE FROM claims WHERE tenant = ? AND key_id = ?");
  const insert = database.prepare("INSERT INTO claims (claim, tenant, key_id) VALUES (?, ?, ?)");
  return {
    areFree: (tenant, keyId, claims) => claims.every((claim) => selectOther.get(claim, tenant, keyId) === undefined),
    set(tenant, keyId, claims) {
      removeAll.run(tenant, keyId);
      for (const claim of claims) insert.run(claim, tenant, keyId);
    },
  };
}
