import { isMore, noDebt, priceOf, rateOf, takenOf } from "../core/rate-limit.ts";
import type { DebtReport, LocalLedger, SharedLedger } from "../ports/ledger.ts";
import type { RateLimiter } from "../ports/rate-limiter.ts";

export interface SharedRateLimiterOptions {
  readonly local: LocalLedger;
  readonly shared: SharedLedger;
  /** While the shared limit cannot be asked: `open` lets this process enforce the whole quota on its own, `closed` refuses whatever has a cost. */
  readonly outage: "open" | "closed";
}

/** When a caller refused by `closed` may try again: about as long as the link takes to come back. */
const outageRetryMs = 1000;
const nothingToReport: DebtReport = { more: noDebt, atLeast: noDebt };

/**
 * The limit of a process among others. The shared one decides; the local one follows what it answers, so that an outage goes on from
 * there. After it the server is told what was spent here meanwhile, and another server, which may not know it, the whole debt. So no
 * process admits more, on its own account, than the policy allows over any span, whatever becomes of the servers.
 *
 * In health nothing is told: the local debt is only as exact as the round trip is short, and telling it each time would add that up.
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
      // Null: more than the whole quota, which is never admitted.
      return { ...refused, remaining: 0n, retryAfterMs: refused.retryAfterMs === null ? null : outageRetryMs };
    },
  };
}
