import type { DatabaseSync } from "node:sqlite";

/** Values that no two records share (see `holdingsOf` in the core). Call the changing functions in the transaction that writes the record. */
export interface Holdings {
  /** Returns whether no other record has one of them. */
  areFree(tenant: string, keyId: string, holdings: readonly string[]): boolean;
  /** Gives a record exactly these holdings, which must be free. */
  set(tenant: string, keyId: string, holdings: readonly string[]): void;
}

export function prepareHoldings(database: DatabaseSync): Holdings {
  const selectOther = database.prepare("SELECT 1 FROM holdings WHERE holding = ? AND NOT (tenant = ? AND key_id = ?)");
  const removeAll = database.prepare("DELETE FROM holdings WHERE tenant = ? AND key_id = ?");
  const insert = database.prepare("INSERT INTO holdings (holding, tenant, key_id) VALUES (?, ?, ?)");
  return {
    areFree: (tenant, keyId, holdings) => holdings.every((holding) => selectOther.get(holding, tenant, keyId) === undefined),
    set(tenant, keyId, holdings) {
      removeAll.run(tenant, keyId);
      for (const holding of holdings) insert.run(holding, tenant, keyId);
    },
  };
}
