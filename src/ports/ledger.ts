import type { RateLimitPolicy } from "../core/key.ts";
import type { Debt, Rate, Taken } from "../core/rate-limit.ts";
import type { RateLimiter } from "./rate-limiter.ts";

/*
 * A ledger holds the debt of each key, as core/rate-limit.ts defines debts. Each process has a local one. Processes that enforce a limit
 * together also write to a shared one, on a server.
 */

/** What this process knows of a key's debt. */
export interface KnownDebt {
  readonly owed: Debt;
  /** The part of it that this process spent by itself, and no server knows. */
  readonly own: Debt;
  /** The server that knows the rest. Undefined if there is none. */
  readonly knownTo: string | undefined;
  /** How often this process spent by itself. */
  readonly ownSpends: number;
}

/** The answer of a server to a take. */
export interface SharedDebt {
  readonly admitted: boolean;
  /** The debt after the take. */
  readonly owed: Debt;
  readonly serverId: string;
}

/** One take from the shared ledger, for the local ledger to learn from. */
export interface SharedTake {
  readonly tenant: string;
  readonly keyId: string;
  readonly rate: Rate;
  readonly price: Debt;
  /** What this process knew when the take began. */
  readonly known: KnownDebt;
  readonly answer: SharedDebt;
}

/**
 * The ledger of one process. It can follow a shared one. Its size is bounded: it forgets a debt some time after the debt ended, and sooner
 * if there are too many.
 */
export interface LocalLedger extends RateLimiter {
  take(tenant: string, keyId: string, policy: RateLimitPolicy, cost: number): Taken;
  /** False if the whole quota is left. May return true for some time after the debt ended. */
  mayOwe(tenant: string, keyId: string): boolean;
  /** Returns what to report to a server. It returns what this process spent by itself only once: give it back if the report fails. */
  handOver(tenant: string, keyId: string, rate: Rate): KnownDebt;
  giveBack(tenant: string, keyId: string, rate: Rate, known: KnownDebt): void;
  /** Takes over the answer of a server to a take. */
  learn(take: SharedTake): void;
}

/** What a server is told beside the price. */
export interface DebtReport {
  /** Debt that the server does not know. */
  readonly more: Debt;
  /** The least that the whole debt is, with `more`. */
  readonly atLeast: Debt;
}

/** The ledger that processes share. It uses the clock of its server. Never rejects, and takes no longer than a read of the store may. */
export interface SharedLedger {
  /** The server at the other end of the link. Another server may not know what was spent. Null while there is no link. */
  readonly serverId: string | null;
  /**
   * Adds the price to the key's debt, as far as the server knows it or the report says it, and keeps the sum if it is admitted. Returns
   * null if that is not certain: the server may have counted it all the same.
   */
  take(tenant: string, keyId: string, rate: Rate, price: Debt, report: DebtReport): Promise<SharedDebt | null>;
}
