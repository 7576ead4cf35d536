import type { DatabaseSync } from "node:sqlite";
import { isInChain, type KeyRecord } from "../../core/key.ts";
import type { Clock } from "../../ports/clock.ts";
import { isInSlot, type Slots } from "./slots.ts";

/** The quota places of rotation chains. A chain has one place, which one of its keys holds. Call each function in a transaction. */
export interface Places {
  /** The key no longer counts, because its successor does. */
  handOn(tenant: string, keyId: string): void;
  /**
   * Call it before the key is revoked or deleted, and call the function that it returns after that. If the key held its chain's place, another key of
   * the chain that is within its grace period takes it. So a key that still verifies always has a place. Null: no such key.
   */
  giveBack(tenant: string, record: KeyRecord | null): () => void;
}

const nothing = () => {};

export function preparePlaces(database: DatabaseSync, slots: Slots, clock: Clock): Places {
  const setPlaceless = database.prepare(`UPDATE keys SET placeless = ? WHERE ${isInSlot}`);
  const selectPlace = database.prepare(
    `SELECT placeless, revoked = 1 AND revocation_reason <> 'disabled' AS ended FROM keys WHERE ${isInSlot}`,
  );
  const selectHeir = database.prepare(
    `SELECT key_id FROM keys INDEXED BY keys_placeless
     WHERE tenant = ? AND coalesce(lineage_id, key_id) = ? AND placeless = 1 AND expire_time_ms > ? LIMIT 1`,
  );

  const set = (tenant: string, keyId: string, placeless: 0 | 1) => void setPlaceless.run(placeless, slots.of(tenant, keyId), tenant, keyId);

  return {
    handOn: (tenant, keyId) => set(tenant, keyId, 1),

    giveBack(tenant, record) {
      if (record === null || !isInChain(record)) return nothing;
      const { keyId, lineageId } = record;
      const before = selectPlace.get(slots.of(tenant, keyId), tenant, keyId) as { placeless: number; ended: number } | undefined;
      return () => {
        if (before === undefined || before.ended === 1) return;
        if (before.placeless === 1) {
          set(tenant, keyId, 0);
          return;
        }
        const heir = selectHeir.get(tenant, lineageId, clock()) as { key_id: string } | undefined;
        if (heir !== undefined) set(tenant, heir.key_id, 0);
      };
    },
  };
}
