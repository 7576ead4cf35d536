import type { Worker } from "node:cluster";
import type { MetricFamily } from "../telemetry/metrics/exposition.ts";
import type { ToPrimary, ToWorker } from "./messages.ts";

export interface WorkerExit {
  /** Null after a signal. */
  readonly code: number | null;
  readonly signal: string | null;
}

/** A worker as the primary sees it. */
export interface Member {
  readonly id: number;
  readonly pid: number | undefined;
  /** Resolves once it accepts connections. Rejects with WorkerStartError if it ends before. */
  readonly url: Promise<string>;
  readonly ended: Promise<WorkerExit>;
  readonly isServing: boolean;
  /** It was told to end, so its end is no failure. */
  readonly isClosing: boolean;
  /** As far as it has sent them. */
  readonly lastMetrics: readonly MetricFamily[];
  /** Asks for its metrics, and resolves once they are in `lastMetrics`, or it ended, or `timeoutMs` is over. */
  scrape(timeoutMs: number): Promise<void>;
  reload(): void;
  /** Lets it finish its calls. Kills it if it has not ended after `timeoutMs`. */
  close(timeoutMs: number): Promise<WorkerExit>;
}

export class WorkerStartError extends Error {
  /** Of the worker, which has said on standard error what is wrong. */
  readonly workerExitCode: number;

  constructor(workerExitCode: number) {
    super(`a worker ended with exit code ${workerExitCode} before it accepted connections`);
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
  // A message to a worker that has just ended. Its exit is handled.
  worker.on("error", () => {});
  worker.once("exit", (code: number | null, signal: string | null) => {
    url.reject(new WorkerStartError(code ?? 1));
    ended.resolve({ code, signal });
  });
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
    reload: () => send({ kind: "reload" }),
    async close(timeoutMs) {
      state.isClosing = true;
      send({ kind: "close" });
      const kill = setTimeout(() => worker.process.kill("SIGKILL"), timeoutMs);
      const exit = await ended.promise;
      clearTimeout(kill);
      return exit;
    },
  };
}
