import type { Log } from "../ports/log.ts";
import { createFailureLog } from "./failure-log.ts";
import { oneAfterTheOther } from "./one-after-the-other.ts";
import type { UsageRecorder } from "./usage-recorder.ts";

export interface UsageFlushOptions {
  readonly usage: Pick<UsageRecorder, "flush" | "droppedCount">;
  readonly log: Pick<Log, "warn">;
}

/**
 * Returns a function that writes last uses. Concurrent calls run one after the other, and none rejects. While writing fails, it logs each
 * kind of failure once, and that the first uses were dropped.
 */
export function createUsageFlush({ usage, log }: UsageFlushOptions): () => Promise<void> {
  const failures = createFailureLog(log, "cannot write the last uses of keys; will try again");
  let reportedDrops = 0;
  let dropsReportedInOutage = false;

  const flush = async () => {
    try {
      await usage.flush();
      failures.end();
      dropsReportedInOutage = false;
    } catch (error) {
      failures.note(error);
    }
    const { droppedCount } = usage;
    if (droppedCount === reportedDrops || dropsReportedInOutage) return;
    dropsReportedInOutage = failures.isFailing;
    log.warn(
      { dropped: droppedCount - reportedDrops, dropped_in_all: droppedCount },
      "dropped last uses of keys because the buffer was full",
    );
    reportedDrops = droppedCount;
  };

  // A failed flush puts its uses back, and the next one writes them.
  return oneAfterTheOther(flush);
}
