import type { Acknowledged } from "./history.ts";

type Area = "store" | "redis" | "process";

interface Trouble {
  readonly area: Area;
  /** Null: all processes. */
  readonly process: number | null;
  readonly fromMs: number;
  untilMs: number;
}

/** Records which faults happened, when and where. */
export interface FaultLog {
  begin(area: Area, process: number | null): () => void;
  /** Whether there was such a fault between two moments, or one that ended so shortly before that its effects remain. */
  felt(area: Area, process: number, fromMs: number, untilMs: number): boolean;
}

/** How long the effects of a fault last after its end: calls that wait for their time-out, reconnecting. */
const aftermathMs = { store: 3500, redis: 1500, process: 1500 };
/** The same for the cache server, which is then another one: waiting for it is added. */
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

/** If a process is cut off from the store: one grace period from the change. The lease and one network delay are added. */
const slackMs = 50;

/**
 * The table of bounds in docs/guarantees.md: how long after the acknowledgement of a change a verification may start in a process and still
 * return the older state.
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
    // A process that has just started has no subscription yet.
    change.begunMs > 1000;
  if (heardThroughRedis) return 100;
  if (!felt("store", verifier.process) || outage === "refuse") return 2000;
  return graceMs + slackMs;
}
