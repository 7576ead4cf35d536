import type { SharedLedger } from "../../ports/ledger.ts";
import type { Circuit } from "./circuit.ts";
import { createNames } from "./names.ts";

/**
 * The shared ledger. Each take is one script on one key, so that it works in a cluster. The takes of one turn of the event loop are written
 * together.
 */
export function createRedisLedger(circuit: Circuit, { namespace }: { readonly namespace: string }): SharedLedger {
  const { limit: limitName } = createNames(namespace);
  return {
    get serverId() {
      return circuit.link?.cacheId ?? null;
    },

    async take(tenant, keyId, { quota, windowUs, partsPerUs }, price, { more, atLeast }) {
      const name = limitName(tenant, keyId);
      const answer = await circuit.attempt((link) =>
        link
          .nodeOf(name)
          .kwTake(name, quota.toString(), windowUs, partsPerUs, price.us, price.part, more.us, more.part, atLeast.us, atLeast.part),
      );
      if (answer === null) return null;
      const [admitted, us, part] = answer.result;
      return { admitted: admitted === 1, owed: { us, part }, serverId: answer.link.cacheId };
    },
  };
}
