import type { CacheTrust } from "../cache/trust.ts";
import type { Log } from "../ports/log.ts";
import type { RefusalRecorder } from "../service/refusal-recorder.ts";
import type { TenantDirectory } from "../service/tenants/tenant-directory.ts";
import { createUsageFlush } from "../service/usage-flush.ts";
import type { UsageRecorder } from "../service/usage-recorder.ts";

const flushIntervalMs = 1000;
const trustTickMs = 250;
/** After the first calls, which a rolling restart waits for. */
const warmUpDelayMs = 1000;

export interface UpkeepParts {
  readonly log: Log;
  readonly monotonicMs: () => number;
  readonly closing: AsyncDisposableStack;
  readonly usage: UsageRecorder;
  readonly refusals: RefusalRecorder;
  readonly trust: CacheTrust;
  readonly directory: TenantDirectory;
  readonly warmUp: () => Promise<void>;
}

/**
 * Starts the background work: writing buffered data (closing writes it too), renewing the cache's trust, refreshing the tenants, and
 * warming up.
 */
export async function startUpkeep({ log, monotonicMs, closing, usage, refusals, trust, directory, warmUp }: UpkeepParts): Promise<void> {
  const flushUsage = createUsageFlush({ usage, monotonicMs, log });
  const flush = () => Promise.all([flushUsage(), refusals.flush()]);
  closing.defer(async () => void (await flush()));
  every(flushIntervalMs, flush, closing);
  await trust.tick();
  await directory.refresh();
  // It loads code from the disk. If that fails, the first call that needs the code tries again.
  const warm = () => warmUp().catch((error: unknown) => log.warn({ error }, "warming up failed; some first calls will take longer"));
  const timer = setTimeout(() => void warm(), warmUpDelayMs);
  closing.defer(() => clearTimeout(timer));
  every(trustTickMs, () => Promise.all([trust.tick(), directory.catchUp()]), closing);
}

function every(intervalMs: number, work: () => Promise<unknown>, closing: AsyncDisposableStack): void {
  const timer = setInterval(() => void work(), intervalMs);
  closing.defer(() => clearInterval(timer));
}
