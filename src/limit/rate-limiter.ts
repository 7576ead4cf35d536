import { isMore, noDebt, priceOf, rateOf, type Taken, takenOf } from "../core/rate-limit.ts";
import type { DebtReport, KnownDebt, LocalLedger, SharedCharge, SharedDebt, SharedLedger } from "../ports/ledger.ts";
import type { Limit, RateLimiter } from "../ports/rate-limiter.ts";

export interface SharedRateLimiterOptions {
  readonly local: LocalLedger;
  readonly shared: SharedLedger;
  /**
   * Behaviour while the shared ledger does not answer. `open`: this process enforces the whole quota on its own. `closed`: everything with
   * a cost is refused.
   */
  readonly outage: "open" | "closed";
}

/** When a caller refused by `closed` may try again: about the time that the link takes to recover. */
const outageRetryMs = 1000;
const nothingToReport: DebtReport = { more: noDebt, atLeast: noDebt };

/**
 * The rate limiter of a process among others. The shared ledger decides. The local ledger follows its answers, so that an outage continues
 * from the same debt. After an outage this process reports what it spent meanwhile. To another server, which may not know the debt, it
 * reports the whole debt. So no process admits more by itself than the policy allows over any span, whatever happens to the servers.
 *
 * While the server answers, nothing is reported: the local debt is inexact by the time of a round trip, and reports would add that up.
 */
export function createSharedRateLimiter({ local, shared, outage }: SharedRateLimiterOptions): RateLimiter {
  const chargeOf = (tenant: string, { id, policy }: Limit, cost: number): Charge => {
    const rate = rateOf(policy);
    const known = local.handOver(tenant, id, rate);
    const isKnown = known.knownTo === shared.serverId && !isMore(known.own, noDebt);
    const report = isKnown ? nothingToReport : { more: known.own, atLeast: known.owed };
    return { id, rate, price: priceOf(rate, cost), report, known };
  };

  const learn = (tenant: string, charges: readonly Charge[], answers: readonly SharedDebt[]): readonly Taken[] => {
    const isTaken = answers.every(({ admitted }) => admitted);
    return charges.map(({ id, rate, price, known }, index) => {
      const answer = answers[index] as SharedDebt;
      local.learn({ tenant, keyId: id, rate, price, known, answer, isTaken });
      return takenOf(rate, price, answer.admitted, answer.owed);
    });
  };

  const takeAll = async (tenant: string, limits: readonly Limit[], cost: number): Promise<readonly Taken[]> => {
    const charges = limits.map((limit) => chargeOf(tenant, limit, cost));
    const answers = await shared.take(tenant, charges);
    if (answers !== null) return learn(tenant, charges, answers);
    for (const { id, rate, known } of charges) local.giveBack(tenant, id, rate, known);
    return outage === "open" || cost === 0 ? local.takeAll(tenant, limits, cost) : charges.map(refusedInOutage);
  };

  return {
    takeAll,
    take: async (tenant, keyId, policy, cost) => (await takeAll(tenant, [{ id: keyId, policy }], cost))[0] as Taken,
  };
}

interface Charge extends SharedCharge {
  readonly known: KnownDebt;
}

function refusedInOutage({ rate, price, known }: Charge): Taken {
  const refused = takenOf(rate, price, false, known.owed);
  // Null: the cost is more than the whole quota, and is never admitted.
  return { ...refused, remaining: 0n, retryAfterMs: refused.retryAfterMs === null ? null : outageRetryMs };
}
