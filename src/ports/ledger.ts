import type { RateLimitPolicy } from "../core/key.ts";
import type { Debt, Rate, Taken } from "../core/rate-limit.ts";
import type { Limit, RateLimiter } from "./rate-limiter.ts";

/*
 * A ledger holds the debt of each key, as core/rate-limit.ts defines debts. Each process has a local one. Processes that enforce a limit
 * together also write to a shared one, on a server.
 */

/** A key's debt, as this process knows it. */
export interface KnownDebt {
  readonly owed: Debt;
  /** The part that this process spent on its own and that no server knows. */
  readonly own: Debt;
  /** The server that knows the rest. Undefined if there is none. */
  readonly knownTo: string | undefined;
  /** How often this process spent on its own. */
  readonly ownSpends: number;
}

/** A server's answer about one limit of a take. */
export interface SharedDebt {
  /** Whether the limit had room. */
  readonly admitted: boolean;
  /** The debt after the take. */
  readonly owed: Debt;
  readonly serverId: string;
}

/** One take from the shared ledger, from which the local ledger learns. */
export interface SharedTake {
  readonly tenant: string;
  readonly keyId: string;
  readonly rate: Rate;
  readonly price: Debt;
  /** The debt as this process knew it when the take began. */
  readonly known: KnownDebt;
  readonly answer: SharedDebt;
  /** Whether the price was added to the debt. */
  readonly isTaken: boolean;
}

/**
 * The ledger of one process. It can follow a shared one. Its size is bounded: it forgets a debt some time after the debt ended, and sooner
 * if there are too many.
 */
export interface LocalLedger extends RateLimiter {
  take(tenant: string, keyId: string, policy: RateLimitPolicy, cost: number): Taken;
  takeAll(tenant: string, limits: readonly Limit[], cost: number): readonly Taken[];
  /** False if the whole quota is left. May return true for some time after the debt ended. */
  mayOwe(tenant: string, keyId: string): boolean;
  /** Returns what to report to a server. Returns what this process spent on its own only once: give it back if the report fails. */
  handOver(tenant: string, keyId: string, rate: Rate): KnownDebt;
  giveBack(tenant: string, keyId: string, rate: Rate, known: KnownDebt): void;
  /** Applies a server's answer to a take. */
  learn(take: SharedTake): void;
}

/** The debt that a process has counted, which it reports with a price. */
export interface DebtReport {
  /** Debt that the server does not know. */
  readonly more: Debt;
  /** The minimum of the whole debt, including `more`. */
  readonly atLeast: Debt;
}

/** The request to one limit. */
export interface SharedCharge {
  readonly id: string;
  readonly rate: Rate;
  readonly price: Debt;
  readonly report: DebtReport;
}

/** A lease, as its ledger knows it. */
export interface GrantedLease {
  /** When it was granted, on the ledger's clock. */
  readonly atUs: number;
  readonly amount: Debt;
  /** The debt after the grant, with the lease. */
  readonly owed: Debt;
  readonly serverId: string;
}

export interface LeaseRequest {
  readonly id: string;
  readonly rate: Rate;
  /** A lease must not be spent later than this after it was granted. */
  readonly lifeUs: number;
  /** The price of the units to lease. `noDebt`: grants none. */
  readonly amount: Debt;
  /** A lease of which nothing will be spent any more, and what is left of it. */
  readonly back: { readonly lease: Pick<GrantedLease, "atUs" | "amount">; readonly left: Debt } | null;
}

/** The ledger that processes share. It uses its server's clock. Never rejects, and takes no longer than a store read may. */
export interface SharedLedger {
  /** The server that the link leads to. Another server may not know what was spent. Null while there is no link. */
  readonly serverId: string | null;
  /**
   * Adds each price to the debt of its limit, as known to the server or reported, and stores the sums if all are admitted: in one step. If
   * one is refused, no price is added. Returns null if the outcome is unknown: the server may have counted them. The ids must differ, and
   * must begin with the same text in braces if they are several.
   */
  take(tenant: string, charges: readonly SharedCharge[]): Promise<readonly SharedDebt[] | null>;

  /**
   * Takes back what is left of a lease if its life has not ended, and grants another if enough of the quota is left, in one step. A lease
   * is added to the debt as if it were spent. Returns no lease if none was granted, and null if the outcome is unknown.
   */
  lease(tenant: string, request: LeaseRequest): Promise<{ readonly lease: GrantedLease | null } | null>;
}
