import type { Log } from "../ports/log.ts";
import type { HealthState } from "../server/health/health-state.ts";

/** Logs when the store stops answering, and when it answers again. Returns a function that ends this. */
export function logHealth(state: HealthState, log: Pick<Log, "info" | "error">): () => void {
  return state.onChange(() => {
    if (state.draining) return;
    if (state.serving) log.info({}, "the store answers again; ready");
    else log.error({}, "the store does not answer; not ready");
  });
}
