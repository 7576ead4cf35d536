import type { SharedLedger } from "../../ports/ledger.ts";
import type { Circuit } from "./circuit.ts";
import { createNames } from "./names.ts";

/**
 * The shared ledger. Each take is one script. Its limits are in one slot, so that it works in a cluster. The takes of one turn of the event
 * loop are written together.
 */
export function createRedisLedger(circuit: Circuit, { namespace }: { readonly namespace: string }): SharedLedger {
  const { limit: limitName } = createNames(namespace);
  return {
    get serverId() {
      return circuit.link?.cacheId ?? null;
    },

    async take(tenant, charges) {
      const names = charges.map(({ id }) => limitName(tenant, id));
      const given = charges.flatMap(({ rate: { quota, windowUs, partsPerUs }, price, report: { more, atLeast } }) => [
        quota.toString(),
        windowUs,
        partsPerUs,
        price.us,
        price.part,
        more.us,
        more.part,
        atLeast.us,
        atLeast.part,
      ]);
      const answer = await circuit.attempt((link) => link.nodeOf(names[0] as string).kwTake(names.length, ...names, ...given));
      if (answer === null) return null;
      const { result, link } = answer;
      return charges.map((_, index) => {
        const [admitted, us, part] = result.slice(3 * index) as [number, number, number];
        return { admitted: admitted === 1, owed: { us, part }, serverId: link.cacheId };
      });
    },
  };
}
