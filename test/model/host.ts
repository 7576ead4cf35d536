import type { Scheduler } from "./scheduler.ts";

/** The machine of one simulated process. Everything that reaches the process goes through it, so that it can be paused and can crash. */
export interface Host {
  readonly id: number;
  /** Counts the process's starts. Messages for an earlier start are lost. */
  readonly life: number;
  readonly isPaused: boolean;
  /** Runs `work` in the process, now or when it continues; never if it crashed meanwhile. */
  deliver(life: number, work: () => void): void;
  pause(): void;
  resume(): void;
  /** Loses all state; nothing runs until `start`. */
  crash(): void;
  start(): void;
}

export function createHost(id: number, { after, letSettle }: Scheduler): Host {
  let life = 0;
  let isStopped = false;
  /** True also while it catches up. */
  let isPaused = false;
  let isDown = false;
  let inbox: (() => void)[] = [];
  /** Runs waiting work one by one, each with everything that follows from it. Work that arrives meanwhile is queued. */
  const catchUp = () => {
    if (isStopped) return;
    const work = inbox.shift();
    if (work === undefined) {
      isPaused = false;
      return;
    }
    letSettle();
    work();
    after(0, catchUp);
  };

  return {
    id,
    get life() {
      return life;
    },
    get isPaused() {
      return isPaused;
    },
    deliver(meantFor, work) {
      if (meantFor !== life || isDown) return;
      if (isPaused) {
        inbox.push(work);
        return;
      }
      letSettle();
      work();
    },
    pause() {
      isStopped = true;
      isPaused = true;
    },
    resume() {
      isStopped = false;
      catchUp();
    },
    crash() {
      life += 1;
      isDown = true;
      inbox = [];
    },
    start() {
      isDown = false;
    },
  };
}
