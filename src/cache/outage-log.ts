import type { Log } from "../ports/log.ts";
import type { CacheTrust, TrustMode } from "./trust.ts";

/** Returns a function that logs when the store was lost, and when it answers again. Call it after each tick of the trust. */
export function createOutageLog(trust: Pick<CacheTrust, "mode">, log: Log): () => void {
  let last: TrustMode = "leased";
  return () => {
    const mode = trust.mode();
    if (mode === last) return;
    last = mode;
    if (mode === "leased") log.info({}, "the store answers again");
    else if (mode === "grace") log.warn({}, "lost the store; verifying from the cache for at most 60 s");
    else log.error({}, "lost the store; the cache may no longer be used, so verifications are refused as unavailable");
  };
}
