import type { Acknowledged } from "./history.ts";

type Area = "store" | "redis" | "process";

interface Trouble {
  readonly area: Area;
  /** Null: all of them. */
  readonly process: number | null;
  readonly fromMs: number;
  untilMs: number;
}

/** What went wrong when and where. */
export interface FaultLog {
  begin(area: Area, process: number | null): () => void;
  /** Whether there was such trouble between two moments, or had been until so shortly before that it may be felt. */
  felt(area: Area, process: number, fromMs: number, untilMs: number): boolean;
}

/** How long trouble is felt after its end: calls that wait for their time-out, reconnecting. */
const aftermathMs = { store: 3500, redis: 1500, process: 1500 };
/** The same for the cache server, which is another one then: the patience with it comes on top. */
const serverAftermathMs = 3500;

export function createFaultLog(nowMs: () => number): FaultLog {
  const troubles: Trouble[] = [];
  return {
    begin(area, process) {
      const trouble: Trouble = { area, process, fromMs: nowMs(), untilMs: Number.POSITIVE_INFINITY };
      troubles.push(trouble);
      return () => {
        trouble.untilMs = nowMs();
      };
    },
    felt: (area, process, fromMs, untilMs) =>
      troubles.some(
        (trouble) =>
          trouble.area === area &&
          (trouble.process === null || trouble.process === process) &&
          trouble.fromMs <= untilMs &&
          trouble.untilMs + (trouble.process === null ? serverAftermathMs : aftermathMs[area]) >= fromMs,
      ),
  };
}

export interface BoundOptions {
  readonly outage: "serve" | "refuse";
  readonly graceMs: number;
  readonly hasSharedCache: boolean;
}

/** With cut off from the store, one grace from the change; the lease and one way through the network come on top. */
const slackMs = 50;

/**
 * The table of bounds in docs/guarantees.md: for how long after a change was acknowledged a verification may start in a process and still be
 * answered with the older state.
 */
export function boundMs(
  log: FaultLog,
  { outage, graceMs, hasSharedCache }: BoundOptions,
  change: Acknowledged,
  verifier: { readonly process: number; readonly life: number },
  startedMs: number,
): number {
  if (change.process === verifier.process && change.life === verifier.life) return 0;
  const felt = (area: Area, process: number) => log.felt(area, process, change.begunMs, startedMs);
  const heardThroughRedis =
    hasSharedCache &&
    ![change.process, verifier.process].some((process) => felt("redis", process) || felt("process", process)) &&
    // A process that began a moment ago has no subscription yet.
    change.begunMs > 1000;
  if (heardThroughRedis) return 100;
  if (!felt("store", verifier.process) || outage === "refuse") return 2000;
  return graceMs + slackMs;
}
