import { isMore, noDebt, priceOf, rateOf, takenOf } from "../core/rate-limit.ts";
import type { DebtReport, LocalLedger, SharedLedger } from "../ports/ledger.ts";
import type { RateLimiter } from "../ports/rate-limiter.ts";

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
  return {
    async take(tenant, keyId, policy, cost) {
      const rate = rateOf(policy);
      const price = priceOf(rate, cost);
      const known = local.handOver(tenant, keyId, rate);
      const isKnown = known.knownTo === shared.serverId && !isMore(known.own, noDebt);
      const answer = await shared.take(tenant, keyId, rate, price, isKnown ? nothingToReport : { more: known.own, atLeast: known.owed });
      if (answer !== null) {
        local.learn({ tenant, keyId, rate, price, known, answer });
        return takenOf(rate, price, answer.admitted, answer.owed);
      }
      local.giveBack(tenant, keyId, rate, known);
      if (outage === "open" || cost === 0) return local.take(tenant, keyId, policy, cost);
      const refused = takenOf(rate, price, false, known.owed);
      // Null: the cost is more than the whole quota, and is never admitted.
      return { ...refused, remaining: 0n, retryAfterMs: refused.retryAfterMs === null ? null : outageRetryMs };
    },
  };
}
