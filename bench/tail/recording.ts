import type { Profiler } from "node:inspector";

/** A tick that is later than this is a pause. */
export const minPauseMs = 5;

/** From one tick to the next one, which was late. Times are of the monotonic clock. */
export interface Pause {
  readonly fromMs: number;
  readonly untilMs: number;
  /** By how much the tick was late. */
  readonly lateMs: number;
  /** On a CPU. */
  readonly cpuMs: number;
  /** Ready to run, while others had the CPU. */
  readonly waitMs: number;
  /** The same of the helper of V8 that waited longest. */
  readonly helperWaitMs: number;
}

/** A garbage collection. */
export interface Collection {
  readonly fromMs: number;
  readonly tookMs: number;
  /** `constants.NODE_PERFORMANCE_GC_*` of perf_hooks. */
  readonly kind: number;
}

export interface Recording {
  readonly pauses: readonly Pause[];
  readonly collections: readonly Collection[];
  /** Delay of the event loop by monitorEventLoopDelay: p50, p99, p99.9, longest. */
  readonly delayMs: readonly number[];
  readonly profile: Profiler.Profile | null;
}

/** The process's own part of a pause: its work on a CPU, and the time that its system calls took. The machine's part is the wait. */
export function ownMs(pause: Pause): number {
  return pause.lateMs - pause.waitMs - helpersMs(pause);
}

/** How long the main thread may have waited for helpers that waited for a CPU. */
export function helpersMs({ lateMs, cpuMs, waitMs, helperWaitMs }: Pause): number {
  return Math.max(0, Math.min(helperWaitMs, lateMs - waitMs - cpuMs));
}
