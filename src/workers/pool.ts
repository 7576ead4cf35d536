import type { Worker } from "node:cluster";
import type { Log } from "../ports/log.ts";
import type { MetricFamily } from "../telemetry/metrics/exposition.ts";
import { createMember, type Member, type WorkerExit } from "./member.ts";
import { countedBy, sumMetrics } from "./sum-metrics.ts";

export interface PoolOptions {
  readonly count: number;
  readonly fork: () => Worker;
  readonly log: Log;
  readonly monotonicMs: () => number;
  /** Workers that have not ended this long after they were told to are killed. */
  readonly maxCloseMs: number;
}

/** Workers that serve one port. One that ends unexpectedly is replaced. */
export interface Pool {
  /**
   * Resolves with the URL once the first worker accepts connections, and each other one does or has failed to start, so that it is being
   * replaced. Rejects with WorkerStartError if the first one cannot start.
   */
  start(): Promise<string>;
  /** Makes every worker reload tokens, issuers and roles. */
  reload(): void;
  /**
   * Replaces one worker after the other. A worker is closed after its successor accepts connections, so that there are never fewer than
   * before. Stops, and rejects with WorkerStartError, if a successor cannot start. A call during a restart waits for that restart.
   */
  restart(): Promise<void>;
  /** Resolves with true if all workers that served ended with exit code 0. */
  close(): Promise<boolean>;
  /** Returns sums over all workers, including those that ended. */
  metrics(): Promise<readonly MetricFamily[]>;
  servingCount(): number;
  replacedCount(): number;
}

/** If a worker served for this long, its end has nothing to do with its start. */
const minHealthyMs = 10_000;
const firstRetryMs = 1000;
const maxRetryMs = 30_000;
const maxScrapeMs = 1000;

export function createPool({ count, fork, log, monotonicMs, maxCloseMs }: PoolOptions): Pool {
  const members = new Set<Member>();
  const state = {
    isStarted: false,
    isClosing: false,
    replacedCount: 0,
    quickEnds: 0,
    restart: null as Promise<void> | null,
    replaced: null as Member | null,
  };
  let departed: readonly MetricFamily[] = [];

  const add = (): Member => {
    const member = createMember(fork());
    const startMs = monotonicMs();
    members.add(member);
    void member.ended.then((exit) => {
      members.delete(member);
      departed = sumMetrics([departed, countedBy(member.lastMetrics)]);
      if (!member.isClosing && !state.isClosing) lost(member, exit, monotonicMs() - startMs);
    });
    return member;
  };
  const lost = ({ id, pid, isServing }: Member, exit: WorkerExit, livedMs: number) => {
    state.quickEnds = isServing && livedMs >= minHealthyMs ? 0 : state.quickEnds + 1;
    const waitMs = retryDelayMs(state.quickEnds);
    if (!state.isStarted) return;
    log.error({ worker: id, pid, ...exit, waitMs }, "a worker ended unexpectedly");
    setTimeout(() => {
      if (state.isClosing || openCountOf(members, state.replaced) >= count) return;
      state.replacedCount += 1;
      add();
    }, waitMs);
  };
  const restartAll = async () => {
    for (const old of [...members]) {
      // If it exited meanwhile, it was replaced.
      if (state.isClosing || !members.has(old)) continue;
      state.replaced = old;
      await add().url.finally(() => {
        state.replaced = null;
      });
      if (!state.isClosing) await old.close(maxCloseMs);
    }
  };
  const serving = () => [...members].filter(({ isServing }) => isServing);

  return {
    async start() {
      // Starts one first, so that a problem of the configuration is reported once.
      const url = await add().url;
      state.isStarted = true;
      await Promise.allSettled(Array.from({ length: count - 1 }, () => add().url));
      return url;
    },
    reload() {
      for (const member of members) member.reload();
    },
    restart() {
      state.restart ??= restartAll().finally(() => {
        state.restart = null;
      });
      return state.restart;
    },
    async close() {
      state.isClosing = true;
      const areGood = await Promise.all(Array.from(members, (member) => closeWell(member, maxCloseMs)));
      return areGood.every((isGood) => isGood);
    },
    async metrics() {
      await Promise.all(serving().map((member) => member.scrape(maxScrapeMs)));
      return sumMetrics([...Array.from(members, ({ lastMetrics }) => lastMetrics), departed]);
    },
    servingCount: () => serving().length,
    replacedCount: () => state.replacedCount,
  };
}

/** The first end in a row is answered at once. */
function retryDelayMs(quickEnds: number): number {
  return quickEnds <= 1 ? 0 : Math.min(maxRetryMs, firstRetryMs * 2 ** (quickEnds - 2));
}

/** A worker that had not begun to serve has nothing to finish, so that it may end in any way. */
async function closeWell(member: Member, timeoutMs: number): Promise<boolean> {
  const { isServing } = member;
  const { code } = await member.close(timeoutMs);
  return !isServing || code === 0;
}

/** Workers that serve or start, without those that were told to end. `replaced` will be told once its successor serves. */
function openCountOf(members: ReadonlySet<Member>, replaced: Member | null): number {
  return [...members].filter((member) => !member.isClosing && member !== replaced).length;
}
