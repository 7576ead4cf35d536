import cluster, { type Worker } from "node:cluster";
import type { Config } from "../config/config.ts";
import type { Log } from "../ports/log.ts";
import { createMetricsServer } from "../server/metrics-server.ts";
import type { LogOutput } from "../telemetry/log-output.ts";
import { expositionText } from "../telemetry/metrics/exposition.ts";
import { createMetrics } from "../telemetry/metrics/metrics.ts";
import { watchProcess } from "../telemetry/metrics/process.ts";
import { readLines } from "./lines.ts";
import { createPool, type Pool } from "./pool.ts";
import { sumMetrics } from "./sum-metrics.ts";

export interface PrimaryOptions {
  readonly config: Config;
  readonly log: Log;
  /** Where the log goes, for the lines of the workers. */
  readonly output: Pick<LogOutput, "write">;
  readonly version: string;
  readonly monotonicMs: () => number;
}

export interface Primary {
  /** Resolves once all workers accept connections. `metricsUrl` is undefined if metrics are off. */
  start(): Promise<{ url: string; metricsUrl: string | undefined }>;
  reload(): void;
  /** Replaces one worker after the other, so that there are never fewer than before. The log reports the result. */
  restart(): Promise<void>;
  /** Rejects if a worker exited with an error. */
  close(): Promise<void>;
}

/** A worker finishes its calls within the drain time-out, then writes buffered data and closes its connections to the store. */
const maxCloseAfterDrainMs = 5000;

/** The process that starts the workers, hands them connections in turn, and serves their metrics together. It serves no calls itself. */
export function createPrimary({ config, log, output, version, monotonicMs }: PrimaryOptions): Primary {
  cluster.setupPrimary({ stdio: ["ignore", "pipe", "inherit", "ipc"] });
  const fork = (): Worker => {
    const worker = cluster.fork();
    const { stdout } = worker.process;
    // One pipe per worker, so that lines of different workers cannot mix.
    if (stdout !== null) readLines(stdout, (lines) => output.write(lines));
    return worker;
  };
  const maxCloseMs = config.drainTimeoutMs + maxCloseAfterDrainMs;
  const pool = createPool({ count: config.workers, fork, log, monotonicMs, maxCloseMs });
  const metricsServer = config.metrics === null ? null : openMetrics(pool, version, log);

  return {
    async start() {
      const url = await pool.start();
      const metricsUrl = config.metrics === null ? undefined : await metricsServer?.listen(config.metrics);
      return { url, metricsUrl };
    },
    reload: () => pool.reload(),
    async restart() {
      log.info({}, "replacing the workers");
      try {
        await pool.restart();
        log.info({}, "workers replaced");
      } catch (error) {
        log.error({ error }, "workers could not be replaced; those that run stay");
      }
    },
    async close() {
      const areWell = await pool.close();
      await metricsServer?.close();
      if (!areWell) throw new Error("a worker exited with an error");
    },
  };
}

/** Serves the metrics of this process and of all workers, combined. */
function openMetrics(pool: Pool, version: string, log: Log) {
  const own = createMetrics(version);
  watchProcess(own);
  own.registry.onScrape(() => {
    own.workers.of().value = pool.servingCount();
    own.workersReplaced.of().value = pool.replacedCount();
  });
  const scrape = async () => expositionText(sumMetrics([await pool.metrics(), own.registry.snapshot()]));
  const report = (error: unknown) => log.error({ error }, "metrics could not be served");
  return createMetricsServer({ contentType: own.registry.contentType, scrape }, report);
}
