import type { UsageRecorder } from "./usage-recorder.ts";

export interface UsageFlushOptions {
  readonly usage: Pick<UsageRecorder, "flush" | "droppedCount">;
  readonly log: { warn(fields: Readonly<Record<string, unknown>>, message: string): void };
}

/** Writes last uses one flush after the other and says what went wrong; never rejects. */
export function createUsageFlush({ usage, log }: UsageFlushOptions): () => Promise<void> {
  let reportedDrops = 0;
  let last = Promise.resolve();

  const flush = async () => {
    try {
      await usage.flush();
    } catch (error) {
      log.warn({ error }, "cannot write the last uses of keys; will try again");
    }
    const { droppedCount } = usage;
    if (droppedCount === reportedDrops) return;
    log.warn(
      { dropped: droppedCount - reportedDrops, dropped_in_all: droppedCount },
      "dropped last uses of keys because the buffer was full",
    );
    reportedDrops = droppedCount;
  };

  let waiting: Promise<void> | null = null;
  // What one that failed puts back is written by the one after it, so that the last one before the end leaves nothing behind.
  return () => {
    waiting ??= last.then(() => {
      waiting = null;
      last = flush();
      return last;
    });
    return waiting;
  };
}
