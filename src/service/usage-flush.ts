import type { Log } from "../ports/log.ts";
import { oneAfterTheOther } from "./one-after-the-other.ts";
import type { UsageRecorder } from "./usage-recorder.ts";

export interface UsageFlushOptions {
  readonly usage: Pick<UsageRecorder, "flush" | "droppedCount">;
  readonly log: Pick<Log, "warn">;
}

/** Returns a function that writes last uses. Concurrent calls run one after the other. Logs the first of failures in a row, and never rejects. */
export function createUsageFlush({ usage, log }: UsageFlushOptions): () => Promise<void> {
  let reportedDrops = 0;
  let isFailing = false;

  const flush = async () => {
    try {
      await usage.flush();
      isFailing = false;
    } catch (error) {
      if (!isFailing) log.warn({ error }, "cannot write the last uses of keys; will try again");
      isFailing = true;
    }
    const { droppedCount } = usage;
    if (isFailing || droppedCount === reportedDrops) return;
    log.warn(
      { dropped: droppedCount - reportedDrops, dropped_in_all: droppedCount },
      "dropped last uses of keys because the buffer was full",
    );
    reportedDrops = droppedCount;
  };

  // A failed flush puts its uses back, and the next one writes them.
  return oneAfterTheOther(flush);
}
