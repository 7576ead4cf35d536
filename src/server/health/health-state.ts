/** Runs a function once, after a delay. Returns a function that cancels it. */
export type Timer = (delayMs: number, run: () => void) => () => void;

export const systemTimer: Timer = (delayMs, run) => {
  const timeout = setTimeout(run, delayMs);
  return () => clearTimeout(timeout);
};

export interface HealthStateOptions {
  /** Resolves if the store can serve calls. */
  readonly ping: () => Promise<void>;
  readonly timer: Timer;
  readonly intervalMs: number;
  /** A ping that takes longer counts as failed. */
  readonly timeoutMs: number;
}

/** Whether this process can serve: the store answers, and no drain has begun. False until the store first answers. */
export interface HealthState {
  readonly serving: boolean;
  readonly draining: boolean;
  /** Asks the store now. Concurrent callers share one ping, however slow it is, so that probes do not pile up on a store that hangs. */
  check(): Promise<boolean>;
  /** Asks now, and again `intervalMs` after every answer, until `stop`. */
  start(): void;
  stop(): void;
  /** Reports "not serving" from now on, permanently. */
  drain(): void;
  /** Calls the listener after every change. Returns a function that removes it. */
  onChange(listener: () => void): () => void;
}

export function createHealthState({ ping, timer, intervalMs, timeoutMs }: HealthStateOptions): HealthState {
  const listeners = new Set<() => void>();
  let isStoreUp = false;
  let draining = false;
  let running = false;
  let asked: Promise<void> | undefined;
  let cancelNext = (): void => {};

  const notify = (): void => {
    for (const listener of [...listeners]) listener();
  };
  const setStoreUp = (isUp: boolean): void => {
    if (isUp === isStoreUp) return;
    isStoreUp = isUp;
    if (!draining) notify();
  };
  const askStore = (): Promise<void> => {
    asked ??= ping().finally(() => {
      asked = undefined;
    });
    return asked;
  };

  const state: HealthState = {
    get serving() {
      return isStoreUp && !draining;
    },
    get draining() {
      return draining;
    },
    async check() {
      setStoreUp(await answersWithin(askStore(), timeoutMs, timer));
      return state.serving;
    },
    start() {
      if (running) return;
      running = true;
      const checkAndWait = async (): Promise<void> => {
        await state.check();
        if (running) cancelNext = timer(intervalMs, () => void checkAndWait());
      };
      void checkAndWait();
    },
    stop() {
      running = false;
      cancelNext();
    },
    drain() {
      if (draining) return;
      draining = true;
      notify();
    },
    onChange(listener) {
      // Wrapped, so that each call registers a listener of its own, even if the function is already registered.
      const own = (): void => listener();
      listeners.add(own);
      return () => listeners.delete(own);
    },
  };
  return state;
}

function answersWithin(answer: Promise<void>, timeoutMs: number, timer: Timer): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = timer(timeoutMs, () => resolve(false));
    answer
      .then(
        () => resolve(true),
        () => resolve(false),
      )
      .finally(cancel);
  });
}
