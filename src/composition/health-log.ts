import type { Log } from "../ports/log.ts";
import type { HealthState } from "../server/health/health-state.ts";

export interface HealthLog {
  /** Asks the store, for the health state. */
  ping(): Promise<void>;
  /** Logs when the store stops answering, and why, and when it answers again. Returns a function that ends this. */
  follow(state: HealthState): () => void;
}

export function createHealthLog(ping: () => Promise<void>, log: Pick<Log, "info" | "error">): HealthLog {
  let why: Promise<{ readonly error: unknown } | { readonly reason: string }>;
  return {
    ping() {
      const answer = ping();
      // The health state waits for less than the store's own deadline, whose error says more. So a line about an outage waits for the answer.
      why = answer.then(
        () => ({ reason: "no answer in time" }),
        (error: unknown) => ({ error }),
      );
      return answer;
    },
    follow: (state) =>
      state.onChange(() => {
        if (state.draining) return;
        if (state.serving) log.info({}, "the store answers again; ready");
        else void why.then((fields) => log.error(fields, "the store does not answer; not ready"));
      }),
  };
}
