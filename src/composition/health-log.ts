import type { Log } from "../ports/log.ts";
import type { HealthState } from "../server/health/health-state.ts";

export interface HealthLog {
  /** Asks the store, for the health state. */
  ping(): Promise<void>;
  /** Logs when the store stops answering, and why, and when it answers again. Returns a function that ends this. */
  follow(state: HealthState): () => void;
}

export function createHealthLog(ping: () => Promise<void>, log: Pick<Log, "info" | "error">): HealthLog {
  const unanswered = { reason: "no answer in time" };
  let why: { readonly error: unknown } | typeof unanswered = unanswered;
  return {
    async ping() {
      why = unanswered;
      try {
        await ping();
      } catch (error) {
        why = { error };
        throw error;
      }
    },
    follow: (state) =>
      state.onChange(() => {
        if (state.draining) return;
        if (state.serving) log.info({}, "the store answers again; ready");
        else log.error(why, "the store does not answer; not ready");
      }),
  };
}
