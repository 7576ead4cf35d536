import type { CacheTrust } from "../cache/trust.ts";
import type { RefusalRecorder } from "../service/refusal-recorder.ts";
import { startDirectory, type TenantDirectory } from "../service/tenant-directory.ts";
import { createUsageFlush } from "../service/usage-flush.ts";
import type { UsageRecorder } from "../service/usage-recorder.ts";
import type { Log } from "../telemetry/log.ts";

const flushIntervalMs = 1000;
const trustTickMs = 250;

export interface UpkeepParts {
  readonly log: Log;
  readonly closing: AsyncDisposableStack;
  readonly usage: UsageRecorder;
  readonly refusals: RefusalRecorder;
  readonly trust: CacheTrust;
  readonly directory: TenantDirectory;
  /** Whether other processes can change the stored keys. */
  readonly isShared: boolean;
}

/** Starts the background work: writing buffered data (closing writes it too), renewing the cache's trust, and refreshing the tenants. */
export async function startUpkeep({ log, closing, usage, refusals, trust, directory, isShared }: UpkeepParts): Promise<void> {
  const flushUsage = createUsageFlush({ usage, log });
  const flush = () => Promise.all([flushUsage(), refusals.flush()]);
  closing.defer(async () => void (await flush()));
  every(flushIntervalMs, flush, closing);
  await trust.tick();
  await startDirectory(directory, isShared, closing);
  every(trustTickMs, trust.tick, closing);
}

function every(intervalMs: number, work: () => Promise<unknown>, closing: AsyncDisposableStack): void {
  const timer = setInterval(() => void work(), intervalMs);
  closing.defer(() => clearInterval(timer));
}
