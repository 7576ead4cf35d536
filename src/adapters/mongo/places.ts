import { isInChain, type KeyRecord } from "../../core/key.ts";
import type { Clock } from "../../ports/clock.ts";
import type { WriteOptions } from "./database.ts";
import { documentId, idsAfter, type KeyDocument } from "./document.ts";
import type { Quota } from "./quota.ts";
import type { Collections } from "./schema.ts";

/** The fields of a replaced record that show its place in the quota. */
export type Replaced = Pick<KeyDocument, "revoked" | "disabled" | "placeless">;

type KeyInChain = Pick<KeyRecord, "keyId" | "lineageId" | "supersededBy">;

/** The quota places of rotation chains. A chain has one place, which one of its keys holds. */
export interface Places {
  /**
   * Call it in the transaction that revokes or deletes the key. If the key held its chain's place, another key of the chain that is within
   * its grace period takes it; if there is none, the place is free.
   */
  giveBack(tenant: string, key: KeyInChain, before: Replaced, options: WriteOptions): Promise<void>;
}

export function createPlaces(keys: Collections["keys"], quota: Quota, clock: Clock): Places {
  return {
    async giveBack(tenant, key, before, options) {
      if (before.placeless === true) {
        await keys.updateOne({ _id: documentId(tenant, key.keyId) }, { $unset: { placeless: "" } }, options);
        return;
      }
      if (before.revoked && before.disabled !== true) return;
      const inGrace = { placeless: true as const, lineageId: key.lineageId, _id: idsAfter(tenant, ""), expireTimeMs: { $gt: clock() } };
      const heir = isInChain(key) ? await keys.findOne(inGrace, { hint: "keys_placeless", projection: { _id: 1 }, ...options }) : null;
      if (heir === null) await quota.release(tenant, options);
      else await keys.updateOne({ _id: heir._id }, { $unset: { placeless: "" } }, options);
    },
  };
}
