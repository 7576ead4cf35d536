import { Failure } from "../error/failure.ts";
import { type Turns, turnsOfProcess, turnsWhile } from "../turns.ts";

export interface BodyBudgetOptions {
  /** Maximum for the bodies of all callers together. */
  readonly maxBytes: number;
  /** Maximum for the bodies of callers without a valid token, as part of `maxBytes`. */
  readonly maxAnonymousBytes: number;
  /** Long bodies that are decoded at once, in turns of the event loop. A decoded body is many times as large as its bytes. Default: 4. */
  readonly maxLongDecodes?: number;
  /** Bodies that are inflated on Node's thread pool at once. DNS and the file system use the same four threads. */
  readonly maxInflations: number;
  /** Bytes that a compressed message may inflate to for each of its own, in addition to 16 KiB. Default: 32. */
  readonly maxInflationRatio?: number;
}

/** The call that a body belongs to. */
interface Closable {
  /** Nothing more can be written to its caller. */
  readonly isClosed: boolean;
  /** The bodies of one caller hold at most half of the budget, so that it does not refuse those of others. */
  readonly caller?: { readonly name: string } | undefined;
}

/** Limits the memory of request bodies in one process. A body counts until its call is over, because the message is at least as large. */
export interface BodyBudget {
  /** Opens the account of one body. `isKnown` means that its sender has a valid token. `call` may close before the body is decoded. */
  open(isKnown: boolean, call?: Closable): BodyLease;
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
  /** Releases everything. Further calls do nothing. */
  release(): void;
  /** Runs work on the thread pool when its turn comes. Rejects with the error of `cancel` if that is called first. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
  /** Decodes a long body when its turn comes, in turns of the event loop that reject once the call is over. */
  decodeInTurns<T>(decode: (turns: Turns) => Promise<T>): Promise<T>;
  /** Ends the reading of the body with this error. Only the first call counts. */
  cancel(failure: Failure): void;
  /** The error of `cancel`. */
  readonly cancelled: Failure | undefined;
  /** Called by `cancel`. */
  onCancel: ((failure: Failure) => void) | undefined;
}

/**
 * This much of a body does not count against the budget. Its stream or connection costs more, and has its own limits. So health probes and
 * ordinary verifications are served however many bodies others leave unfinished.
 */
const freeBytes = 1024;

/** JSON of keys and credentials, which are random, inflates by less than 16; gzip can reach 1,000 and brotli far more. */
const defaultInflationRatio = 32;
const defaultLongDecodes = 4;

/** Creates the budget of a process. The newest body is refused, so that those which arrived first can finish. */
export function createBodyBudget(options: BodyBudgetOptions): BodyBudget {
  const { maxBytes, maxAnonymousBytes, maxInflations, maxInflationRatio = defaultInflationRatio } = options;
  const inflations = createQueue(maxInflations);
  const decodes = createQueue(options.maxLongDecodes ?? defaultLongDecodes);
  const books: Books = {
    held: 0,
    anonymous: 0,
    refused: 0,
    known: new Map(),
    maxBytes,
    maxAnonymousBytes,
    maxInflationRatio,
    inflations,
    decodes,
  };
  return {
    open: (isKnown, call) => new OpenLease(books, isKnown, call),
    heldBytes: () => books.held,
    refusedCount: () => books.refused,
  };
}

/** State shared by all leases of a budget. */
interface Books {
  held: number;
  anonymous: number;
  refused: number;
  /** By the names of callers. */
  readonly known: Map<string, number>;
  readonly maxBytes: number;
  readonly maxAnonymousBytes: number;
  readonly maxInflationRatio: number;
  readonly inflations: Queue;
  readonly decodes: Queue;
}

/** A class, because every request has one: making an object of seven closures was 2 % of a verification in a profile. */
class OpenLease implements BodyLease {
  readonly #books: Books;
  readonly #isKnown: boolean;
  readonly #call: Closable | undefined;
  readonly #callerName: string | undefined;
  #own = 0;
  #isReleased = false;
  #cancelled: Failure | undefined;
  onCancel: ((failure: Failure) => void) | undefined = undefined;

  constructor(books: Books, isKnown: boolean, call: Closable | undefined) {
    this.#books = books;
    this.#isKnown = isKnown;
    this.#call = call;
    // Kept, so that it is the same when the memory is released.
    this.#callerName = call?.caller?.name;
  }

  get maxInflationRatio(): number {
    return this.#books.maxInflationRatio;
  }

  get cancelled(): Failure | undefined {
    return this.#cancelled;
  }

  hold(bytes: number): void {
    if (this.#isReleased || (this.#own === 0 && bytes <= freeBytes)) return;
    const more = bytes - this.#own;
    if (more > 0 && !this.#hasRoom(more)) {
      this.#books.refused += 1;
      throw new Failure("TOO_MANY_BODIES");
    }
    this.#set(bytes);
  }

  release(): void {
    this.#isReleased = true;
    this.onCancel = undefined;
    if (this.#own > 0) this.#set(0);
  }

  inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#books.inflations(() => (this.#cancelled === undefined ? work() : Promise.reject(this.#cancelled)));
  }

  async decodeInTurns<T>(decode: (turns: Turns) => Promise<T>): Promise<T> {
    const throwIfOver = (): void => {
      if (this.#cancelled !== undefined) throw this.#cancelled;
      if (this.#call?.isClosed) throw new Failure("CANCELLED");
    };
    return this.#books.decodes(async () => {
      throwIfOver();
      return decode(turnsWhile(turnsOfProcess, throwIfOver));
    });
  }

  cancel(failure: Failure): void {
    if (this.#cancelled !== undefined) return;
    this.#cancelled = failure;
    this.onCancel?.(failure);
  }

  #hasRoom(more: number): boolean {
    const { held, anonymous, known, maxBytes, maxAnonymousBytes } = this.#books;
    if (held + more > maxBytes || (!this.#isKnown && anonymous + more > maxAnonymousBytes)) return false;
    const name = this.#callerName;
    return name === undefined || (known.get(name) ?? 0) + more <= maxBytes / 2;
  }

  #set(bytes: number): void {
    const { known } = this.#books;
    const more = bytes - this.#own;
    this.#books.held += more;
    if (!this.#isKnown) this.#books.anonymous += more;
    const name = this.#callerName;
    if (name !== undefined) {
      const ofCaller = (known.get(name) ?? 0) + more;
      if (ofCaller === 0) known.delete(name);
      else known.set(name, ofCaller);
    }
    this.#own = bytes;
  }
}

type Queue = <T>(work: () => Promise<T>) => Promise<T>;

/** Runs at most `max` pieces of work at the same time, and the others in order of arrival. */
function createQueue(max: number): Queue {
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
