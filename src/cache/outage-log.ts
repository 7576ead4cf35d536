import type { Log } from "../ports/log.ts";
import type { CacheTrust, TrustMode } from "./trust.ts";

/** Two seconds of answers. A store that is as slow as the lease is long is lost and found every second. */
const steadyTicks = 8;

/** Returns a function that logs when the store was lost, and when it answers again and lasts. Call it after each tick of the trust. */
export function createOutageLog(trust: Pick<CacheTrust, "mode">, log: Log): () => void {
  /** The modes of this outage so far. */
  const reported = new Set<TrustMode>();
  let leasedTicks = 0;
  return () => {
    const mode = trust.mode();
    leasedTicks = mode === "leased" ? leasedTicks + 1 : 0;
    if (mode === "leased") {
      if (reported.size === 0 || leasedTicks < steadyTicks) return;
      reported.clear();
      log.info({}, "the store answers again");
    } else if (!reported.has(mode)) {
      reported.add(mode);
      if (mode === "grace") log.warn({}, "lost the store; verifying from the cache for at most 60 s");
      else log.error({}, "lost the store; the cache may no longer be used, so verifications are refused as unavailable");
    }
  };
}
