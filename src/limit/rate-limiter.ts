import type { RateLimitPolicy } from "../core/key.ts";
import { isMore, noDebt, priceOf, rateOf, type Taken, takenOf } from "../core/rate-limit.ts";
import type { DebtReport, KnownDebt, LocalLedger, SharedCharge, SharedDebt, SharedLedger } from "../ports/ledger.ts";
import type { Limit, RateLimiter } from "../ports/rate-limiter.ts";
import { createLeases, type LeasedLimit } from "./leases.ts";

export interface SharedRateLimiterOptions {
  readonly local: LocalLedger;
  readonly shared: SharedLedger;
  /**
   * Behaviour while the shared ledger does not answer. `open`: this process enforces the whole quota on its own. `closed`: everything with
   * a cost is refused.
   */
  readonly outage: "open" | "closed";
  readonly monotonicMs: () => number;
  /** Runs the work after this time. It need not keep the process alive. */
  readonly schedule: (delayMs: number, work: () => void) => void;
}

/** When a caller refused by `closed` may try again: about the time that the link takes to recover. */
const outageRetryMs = 1000;
const nothingToReport: DebtReport = { more: noDebt, atLeast: noDebt };

/**
 * The rate limiter of a process among others. The shared ledger decides, and grants leases to a process that takes often. The local ledger
 * follows its answers, so that an outage continues from the same debt. After an outage this process reports what it spent meanwhile. To
 * another server, which may not know the debt, it reports the whole debt. So no process admits more by itself than the policy allows over
 * any span, whatever happens to the servers.
 *
 * While the server answers, nothing is reported: the local debt is inexact by the time of a round trip, and reports would add that up.
 */
export function createSharedRateLimiter(options: SharedRateLimiterOptions): RateLimiter {
  const { local, shared, outage } = options;
  const leases = createLeases(options);

  const chargeOf = (tenant: string, { id, policy }: Limit, cost: number): Charge => {
    const rate = rateOf(policy);
    const known = local.handOver(tenant, id, rate);
    const isKnown = known.knownTo === shared.serverId && !isMore(known.own, noDebt);
    const report = isKnown ? nothingToReport : { more: known.own, atLeast: known.owed };
    return { id, policy, rate, price: priceOf(rate, cost), report, known };
  };

  const learn = (tenant: string, charges: readonly Charge[], answers: readonly SharedDebt[], cost: number): readonly Taken[] => {
    const isTaken = answers.every(({ admitted }) => admitted);
    return charges.map(({ id, policy, rate, price, known }, index) => {
      const answer = answers[index] as SharedDebt;
      local.learn({ tenant, keyId: id, rate, price, known, answer, isTaken });
      if (isTaken && cost > 0) leases.note(tenant, { id, policy }, cost, answer.owed);
      return takenOf(rate, price, answer.admitted, answer.owed);
    });
  };

  /** Takes from all limits at the server, also from those with a lease, because one that refuses must cost the others nothing. */
  const askServer = async (
    tenant: string,
    limits: readonly Limit[],
    cost: number,
    leased: readonly (LeasedLimit | null)[] = [],
  ): Promise<readonly Taken[]> => {
    const charges = limits.map((limit) => chargeOf(tenant, limit, cost));
    const answers = await shared.take(tenant, charges);
    if (answers !== null) {
      const taken = learn(tenant, charges, answers, cost);
      const refusing = limits.filter((_, index) => !answers[index]?.admitted);
      if (refusing.length === 0 || !refusing.every((limit) => leased[limits.indexOf(limit)])) return taken;
      // Units that the server lacks may be in the leases.
      for (const { id } of refusing) leases.release(tenant, id);
      return askServer(tenant, limits, cost);
    }
    for (const { id, rate, known } of charges) local.giveBack(tenant, id, rate, known);
    return outage === "open" || cost === 0 ? local.takeAll(tenant, limits, cost) : charges.map(refusedInOutage);
  };

  const takeAll = (tenant: string, limits: readonly Limit[], cost: number): readonly Taken[] | Promise<readonly Taken[]> => {
    const leased = limits.map(({ id, policy }) => leases.find(tenant, id, policy, cost));
    if (leased.includes(null)) return askServer(tenant, limits, cost, leased);
    return (leased as readonly LeasedLimit[]).map((limit) => leases.spend(limit, cost));
  };

  return {
    takeAll,
    take(tenant, keyId, policy, cost) {
      const leased = leases.find(tenant, keyId, policy, cost);
      return leased === null ? askServer(tenant, [{ id: keyId, policy }], cost).then(first) : leases.spend(leased, cost);
    },
  };
}

function first(answers: readonly Taken[]): Taken {
  return answers[0] as Taken;
}

interface Charge extends SharedCharge {
  readonly policy: RateLimitPolicy;
  readonly known: KnownDebt;
}

function refusedInOutage({ rate, price, known }: Charge): Taken {
  const refused = takenOf(rate, price, false, known.owed);
  // Null: the cost is more than the whole quota, and is never admitted.
  return { ...refused, remaining: 0n, retryAfterMs: refused.retryAfterMs === null ? null : outageRetryMs };
}
