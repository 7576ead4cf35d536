import { createOutageLog } from "../outage-log.ts";
import type { Log } from "../ports/log.ts";
import { oneAfterTheOther } from "./one-after-the-other.ts";
import type { UsageRecorder } from "./usage-recorder.ts";

export interface UsageFlushOptions {
  readonly usage: Pick<UsageRecorder, "flush" | "droppedCount">;
  readonly monotonicMs: () => number;
  readonly log: Pick<Log, "info" | "warn">;
}

/**
 * Returns a function that writes last uses. Concurrent calls run one after the other, and none rejects. In an outage it logs only once that
 * uses were dropped.
 */
export function createUsageFlush({ usage, monotonicMs, log }: UsageFlushOptions): () => Promise<void> {
  const outage = createOutageLog(log, monotonicMs);
  let reportedDrops = 0;
  let dropsReportedInOutage = false;

  const flush = async () => {
    try {
      await usage.flush();
      outage.over({}, "the last uses of keys are written again");
      dropsReportedInOutage = false;
    } catch (error) {
      outage.failed({ error }, "cannot write the last uses of keys; will try again");
    }
    const { droppedCount } = usage;
    if (droppedCount === reportedDrops || dropsReportedInOutage) return;
    dropsReportedInOutage = outage.isOn;
    log.warn(
      { dropped: droppedCount - reportedDrops, dropped_in_all: droppedCount },
      "dropped last uses of keys because the buffer was full",
    );
    reportedDrops = droppedCount;
  };

  // A failed flush puts its uses back, and the next one writes them.
  return oneAfterTheOther(flush);
}
