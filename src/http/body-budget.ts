import { Failure } from "../error/failure.ts";

export interface BodyBudgetOptions {
  /** Maximum for the bodies of all callers together. */
  readonly maxBytes: number;
  /** Maximum for the bodies of callers without a valid token, as part of `maxBytes`. */
  readonly maxAnonymousBytes: number;
  /** Bodies that are inflated on Node's thread pool at once. DNS and the file system use the same four threads. */
  readonly maxInflations: number;
  /** Bytes that a compressed message may inflate to for each of its own, in addition to 16 KiB. Default: 32. */
  readonly maxInflationRatio?: number;
}

/** Bounds the request bodies that one process holds until they are decoded. */
export interface BodyBudget {
  /** Opens the account of one body. `isKnown` means that its sender has a valid token. */
  open(isKnown: boolean): BodyLease;
  /** Bytes held now. */
  heldBytes(): number;
  /** Bodies that were refused for lack of room. */
  refusedCount(): number;
}

/** The account of one body. */
export interface BodyLease {
  readonly maxInflationRatio: number;
  /**
   * Sets how many bytes the body holds now. Throws TOO_MANY_BODIES, and changes nothing, if that is more than before and the budget has no
   * room for it.
   */
  hold(bytes: number): void;
  /** Gives everything back. Further calls do nothing. */
  release(): void;
  /** Runs work on the thread pool when its turn comes. Rejects with the error of `cancel` if that is called first. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
  /** Ends the reading of the body with this error. Only the first call counts. */
  cancel(failure: Failure): void;
  /** The error of `cancel`. */
  readonly cancelled: Failure | undefined;
  /** Called by `cancel`. */
  onCancel: ((failure: Failure) => void) | undefined;
}

/**
 * This much of a body costs no budget. Its stream or connection costs more, and has its own bounds. So health probes and
 * ordinary verifications are served however many bodies others leave unfinished.
 */
const freeBytes = 1024;

/** JSON of keys and credentials, which are random, inflates by less than 16; gzip itself goes to 1,000 and brotli far beyond. */
const defaultInflationRatio = 32;

/** Creates the budget of a process. The newest body is refused, so that those which arrived first can finish. */
export function createBodyBudget(options: BodyBudgetOptions): BodyBudget {
  const { maxBytes, maxAnonymousBytes, maxInflations, maxInflationRatio = defaultInflationRatio } = options;
  let held = 0;
  let anonymous = 0;
  let refused = 0;
  const turns = createTurns(maxInflations);

  function open(isKnown: boolean): BodyLease {
    let own = 0;
    let isReleased = false;
    let cancelled: Failure | undefined;
    const set = (bytes: number): void => {
      held += bytes - own;
      if (!isKnown) anonymous += bytes - own;
      own = bytes;
    };
    const lease: BodyLease = {
      maxInflationRatio,
      onCancel: undefined,
      get cancelled() {
        return cancelled;
      },
      hold(bytes) {
        if (isReleased || (own === 0 && bytes <= freeBytes)) return;
        const more = bytes - own;
        if (more > 0 && (held + more > maxBytes || (!isKnown && anonymous + more > maxAnonymousBytes))) {
          refused += 1;
          throw new Failure("TOO_MANY_BODIES");
        }
        set(bytes);
      },
      release() {
        isReleased = true;
        if (own > 0) set(0);
      },
      inTurn: (work) => turns(() => (cancelled === undefined ? work() : Promise.reject(cancelled))),
      cancel(failure) {
        if (cancelled !== undefined) return;
        cancelled = failure;
        lease.onCancel?.(failure);
      },
    };
    return lease;
  }

  return { open, heldBytes: () => held, refusedCount: () => refused };
}

/** Runs at most `max` pieces of work at the same time, and the others in the order in which they came. */
function createTurns(max: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running < max) running += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
