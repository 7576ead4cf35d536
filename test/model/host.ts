import type { Scheduler } from "./scheduler.ts";

/** The machine of one simulated process: what reaches the process goes through it, so that it can be stopped, and crash. */
export interface Host {
  readonly id: number;
  /** Counts its starts; what was meant for an earlier one is lost. */
  readonly life: number;
  readonly isPaused: boolean;
  /** Runs `work` in the process, now or when it goes on; never, where it crashed meanwhile. */
  deliver(life: number, work: () => void): void;
  pause(): void;
  resume(): void;
  /** What it knows is lost; nothing runs until `start`. */
  crash(): void;
  start(): void;
}

export function createHost(id: number, { after, letSettle }: Scheduler): Host {
  let life = 0;
  let isStopped = false;
  /** Also while it catches up. */
  let isPaused = false;
  let isDown = false;
  let inbox: (() => void)[] = [];
  /** What waited comes one after the other, each with all that follows from it; what arrives meanwhile waits behind. */
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
