import type { RateLimitPolicy } from "../core/key.ts";
import type { Debt, Rate, Taken } from "../core/rate-limit.ts";

/**
 * Counts what each key spends. For one key takes have an effect one after the other, in the order in which they were begun; those begun in
 * one turn of the event loop share one round trip where there is any. Never rejects.
 */
export interface RateLimiter {
  /** `cost` units at once or none of them; 0 takes nothing, is always admitted, and tells what is left. The policy is one of `requests`. */
  take(tenant: string, keyId: string, policy: RateLimitPolicy, cost: number): Taken | Promise<Taken>;
}

/** What this process knows of a key's debt. */
export interface KnownDebt {
  readonly owed: Debt;
  /** Of it what this process spent on its own, which no server knows. */
  readonly own: Debt;
  /** Server that knows the rest; undefined where there is none. */
  readonly knownTo: string | undefined;
  /** How often this process spent on its own. */
  readonly ownSpends: number;
}

/** What a server answered to a take. */
export interface SharedDebt {
  readonly admitted: boolean;
  /** After it. */
  readonly owed: Debt;
  readonly serverId: string;
}

/**
 * The limit inside one process, which can follow a shared one. Bounded: a debt is forgotten some time after it ended, and sooner where
 * there are too many.
 */
export interface LocalRateLimiter extends RateLimiter {
  take(tenant: string, keyId: string, policy: RateLimitPolicy, cost: number): Taken;
  /** False where the whole quota is there; may be true for some time after. */
  mayOwe(tenant: string, keyId: string): boolean;
  /** What to tell a server. What was spent here alone is told once: whoever fails to tell it gives it back. */
  handOver(tenant: string, keyId: string, rate: Rate): KnownDebt;
  giveBack(tenant: string, keyId: string, rate: Rate, known: KnownDebt): void;
  /** Takes over what a server answered to a take of this price that was begun when `known` was. */
  learn(tenant: string, keyId: string, rate: Rate, price: Debt, known: KnownDebt, answer: SharedDebt): void;
}

/** What a server is told beside the price. */
export interface Told {
  /** Debt of which it does not know. */
  readonly more: Debt;
  /** Debt that there is at least, with that. */
  readonly atLeast: Debt;
}

/** The limit that processes share, on the clock of the server that counts. Never rejects nor takes longer than a read of the store may. */
export interface SharedRateLimiter {
  /** The server on the present link; another one may have forgotten what was spent. Null while there is none. */
  readonly serverId: string | null;
  /**
   * Adds the price to the key's debt, as far as it knows and is told of it, and keeps the sum where it is admitted. Null where that is not
   * certain: the server may have counted it all the same.
   */
  take(tenant: string, keyId: string, rate: Rate, price: Debt, told: Told): Promise<SharedDebt | null>;
}
