import type { AuditEvent, Origin } from "../core/audit.ts";
import { minuteMs } from "../core/time-units.ts";
import type { Reason } from "../error/table.ts";
import { createOutageLog } from "../outage-log.ts";
import type { AuditTrail } from "../ports/audit-trail.ts";
import type { Clock, RandomBytes } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import { auditEvent } from "./audit.ts";
import { oneAfterTheOther } from "./one-after-the-other.ts";

/** Collects refused calls in memory and writes them to the audit trail in bulk, so that a refusal does not wait for the store. */
export interface RefusalRecorder {
  /** Calls with the same `countedAs` share a limit. `origin` is called only if the event is recorded. */
  record(countedAs: string, origin: () => Origin, errorReason: Reason): void;
  /**
   * Writes the buffered events. Never rejects: events that cannot be written stay in the buffer.
   */
  flush(): Promise<void>;
  /** Number of refused calls left out since the start. */
  readonly suppressedCount: number;
}

export interface RefusalRecorderOptions {
  readonly audit: Pick<AuditTrail, "append">;
  readonly tenant: string;
  readonly clock: Clock;
  readonly monotonicMs: () => number;
  readonly randomBytes: RandomBytes;
  /** Maximum events a minute for each known caller, and for all unknown callers together. Otherwise these could fill the store. */
  readonly maxPerMinute: number;
  /**
   * Maximum callers that are counted separately per minute. Further ones share one count, because callers who can invent names must not
   * fill the memory.
   */
  readonly maxCounts: number;
  /** Maximum events in the buffer while the store does not answer. */
  readonly maxBuffered: number;
  readonly log: Pick<Log, "info" | "warn">;
}

/** No name of a caller has a space at its beginning. */
const othersKey = " others";

export function createRefusalRecorder(options: RefusalRecorderOptions): RefusalRecorder {
  const { audit, tenant, clock, maxPerMinute, maxCounts, maxBuffered, monotonicMs, log } = options;
  const counts = new Map<string, number>();
  let minuteStartMs = clock();
  let suppressedCount = 0;
  let reportedCount = 0;
  let buffer: AuditEvent[] = [];
  const outage = createOutageLog(log, monotonicMs);

  function startMinute(nowMs: number): void {
    minuteStartMs = nowMs;
    counts.clear();
    if (suppressedCount > reportedCount)
      log.warn({ suppressed: suppressedCount - reportedCount }, "left refused calls out of the audit trail because there were too many");
    reportedCount = suppressedCount;
  }

  async function write(): Promise<void> {
    if (Math.abs(clock() - minuteStartMs) >= minuteMs) startMinute(clock());
    if (buffer.length === 0) return;
    const writing = buffer;
    buffer = [];
    try {
      await audit.append(tenant, writing);
      outage.over({}, "refused calls are written to the audit trail again");
    } catch (error) {
      buffer = [...writing, ...buffer];
      outage.failed({ error }, "cannot write refused calls to the audit trail; will try again");
    }
  }

  return {
    record(countedAs, origin, errorReason) {
      if (Math.abs(clock() - minuteStartMs) >= minuteMs) startMinute(clock());
      const key = counts.has(countedAs) || counts.size < maxCounts ? countedAs : othersKey;
      const count = counts.get(key) ?? 0;
      if (count >= maxPerMinute || buffer.length >= maxBuffered) {
        suppressedCount += 1;
        return;
      }
      counts.set(key, count + 1);
      buffer.push(auditEvent(options, origin(), [], { errorReason }));
    },

    get suppressedCount() {
      return suppressedCount;
    },

    flush: oneAfterTheOther(write),
  };
}
