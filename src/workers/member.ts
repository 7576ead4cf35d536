import type { Worker } from "node:cluster";
import type { MetricFamily } from "../telemetry/metrics/exposition.ts";
import type { ToPrimary, ToWorker } from "./messages.ts";

export interface WorkerExit {
  /** Null after a signal. */
  readonly code: number | null;
  readonly signal: string | null;
}

/** A worker as seen by the primary. */
export interface Member {
  readonly id: number;
  readonly pid: number | undefined;
  /** Resolves once it accepts connections. Rejects with WorkerStartError if it exits first. */
  readonly url: Promise<string>;
  readonly ended: Promise<WorkerExit>;
  readonly isServing: boolean;
  /** It was told to end, so its exit is not a failure. */
  readonly isClosing: boolean;
  /** The metrics that it has sent so far. */
  readonly lastMetrics: readonly MetricFamily[];
  /** Requests its metrics. Resolves once they are in `lastMetrics`, or it exited, or `timeoutMs` has passed. */
  scrape(timeoutMs: number): Promise<void>;
  reload(): void;
  /** Lets it finish its calls; ends it at once if it has not started to serve. Kills it if it has not ended after `timeoutMs`. */
  close(timeoutMs: number): Promise<WorkerExit>;
}

class WorkerStartError extends Error {
  /** Exit code of the worker, which has reported the problem on standard error. */
  readonly workerExitCode: number;

  constructor(workerExitCode: number) {
    super(`a worker exited with code ${workerExitCode} before it accepted connections`);
    this.workerExitCode = workerExitCode;
  }
}

export function createMember(worker: Worker): Member {
  const url = Promise.withResolvers<string>();
  url.promise.catch(() => {});
  const ended = Promise.withResolvers<WorkerExit>();
  const scrapes = new Map<number, () => void>();
  const state = { isServing: false, isClosing: false, lastMetrics: [] as readonly MetricFamily[], nextScrapeId: 0 };

  worker.on("message", (message: ToPrimary) => {
    if (message.kind === "serving") {
      state.isServing = true;
      return url.resolve(message.url);
    }
    state.lastMetrics = message.families;
    if (message.id !== null) scrapes.get(message.id)?.();
  });
  const end = (code: number | null, signal: string | null) => {
    url.reject(new WorkerStartError(code ?? 1));
    ended.resolve({ code, signal });
  };
  worker.on("error", () => {
    // The process could not be made, so it never exits. Otherwise a message was sent to a worker that has just exited.
    if (worker.process.pid === undefined) end(1, null);
  });
  // Not `exit`: at `close` its last log lines and messages have been read.
  worker.process.once("close", end);
  const send = (message: ToWorker) => {
    if (worker.isConnected()) worker.send(message);
  };

  return {
    id: worker.id,
    pid: worker.process.pid,
    url: url.promise,
    ended: ended.promise,
    get isServing() {
      return state.isServing;
    },
    get isClosing() {
      return state.isClosing;
    },
    get lastMetrics() {
      return state.lastMetrics;
    },
    async scrape(timeoutMs) {
      const id = state.nextScrapeId++;
      const answered = Promise.withResolvers<void>();
      scrapes.set(id, answered.resolve);
      const timer = setTimeout(answered.resolve, timeoutMs);
      send({ kind: "scrape", id });
      await Promise.race([answered.promise, ended.promise]);
      clearTimeout(timer);
      scrapes.delete(id);
    },
    // A worker that starts does not hear messages yet, and may have read the configuration already.
    reload: () =>
      void url.promise.then(
        () => send({ kind: "reload" }),
        () => {},
      ),
    async close(timeoutMs) {
      state.isClosing = true;
      if (state.isServing) send({ kind: "close" });
      else worker.process.kill("SIGTERM");
      const kill = setTimeout(() => worker.process.kill("SIGKILL"), timeoutMs);
      const exit = await ended.promise;
      clearTimeout(kill);
      return exit;
    },
  };
}
