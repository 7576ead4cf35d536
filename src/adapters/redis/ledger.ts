import type { GrantedLease, SharedLedger } from "../../ports/ledger.ts";
import type { Circuit } from "./circuit.ts";
import { createNames } from "./names.ts";

/**
 * The shared ledger. Each take is one script. Its limits are in one slot, so that it works in a cluster. The takes of one turn of the event
 * loop are written together. Leases are a script of their own, so that a take of a limit without leases costs no more.
 */
export function createRedisLedger(circuit: Circuit, { namespace }: { readonly namespace: string }): SharedLedger {
  const { limit: limitName, leases: leasesName } = createNames(namespace);
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

    async lease(tenant, { id, rate: { quota, windowUs, partsPerUs }, lifeUs, amount, back }) {
      const name = limitName(tenant, id);
      const returned = back === null ? ["", 0, 0] : [textOf(back.lease), back.left.us, back.left.part];
      const given = [quota.toString(), windowUs, partsPerUs, lifeUs, amount.us, amount.part, ...returned];
      const answer = await circuit.attempt((link) => link.nodeOf(name).kwLease(name, leasesName(tenant, id), ...given));
      if (answer === null) return null;
      const { result, link } = answer;
      if (result === null) return { lease: null };
      const [atUs, us, part] = result;
      return { lease: { atUs, amount, owed: { us, part }, serverId: link.cacheId } };
    },
  };
}

/** As the script writes it. */
function textOf({ atUs, amount }: Pick<GrantedLease, "atUs" | "amount">): string {
  return ` ${atUs} ${amount.us} ${amount.part}`;
}
