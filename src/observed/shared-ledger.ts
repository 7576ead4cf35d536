import type { SharedLedger } from "../ports/ledger.ts";
import { isNull, type Observe } from "./observe.ts";

/** Observes each take from the shared ledger as `limit`, and each lease as `lease`. */
export function observedLedger(ledger: SharedLedger, observe: Observe): SharedLedger {
  return {
    get serverId() {
      return ledger.serverId;
    },
    take: (...given) => observe("limit", () => ledger.take(...given), isNull),
    lease: (...given) => observe("lease", () => ledger.lease(...given), isNull),
  };
}
