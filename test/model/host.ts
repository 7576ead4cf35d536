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

/** `onRun` is called whenever code of the process runs. */
export function createHost(id: number, onRun: () => void): Host {
  let life = 0;
  let isPaused = false;
  let isDown = false;
  let inbox: (() => void)[] = [];
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
      onRun();
      work();
    },
    pause() {
      isPaused = true;
    },
    resume() {
      isPaused = false;
      const waiting = inbox;
      inbox = [];
      onRun();
      for (const work of waiting) work();
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
