import type { RateLimitPolicy } from "../core/key.ts";
import { givenBackLife, lowShare, renewedLife, spendableLife } from "../core/lease.ts";
import { type Debt, isMore, noDebt, priceOf, type Rate, type Taken, takenOf, without } from "../core/rate-limit.ts";
import type { GrantedLease } from "../ports/ledger.ts";

/** A lease that this process may spend until `endMs`, on its monotonic clock. */
export interface Lease {
  readonly granted: GrantedLease;
  readonly policy: RateLimitPolicy;
  readonly rate: Rate;
  readonly unit: Debt;
  readonly renewMs: number;
  readonly giveBackMs: number;
  readonly endMs: number;
  /** When the debt with the whole lease ends, on the monotonic clock. */
  debtEnd: Debt;
  /** Units that are not spent yet. */
  left: Debt;
}

export interface LeaseTimes {
  /** When the lease was asked for. Its life counts from here, because the server may have granted it at once. */
  readonly askedMs: number;
  readonly nowMs: number;
  readonly lifeMs: number;
}

export function startLease(granted: GrantedLease, policy: RateLimitPolicy, rate: Rate, { askedMs, nowMs, lifeMs }: LeaseTimes): Lease {
  return {
    granted,
    policy,
    rate,
    unit: priceOf(rate, 1),
    renewMs: askedMs + lifeMs * renewedLife,
    giveBackMs: askedMs + lifeMs * givenBackLife,
    endMs: askedMs + lifeMs * spendableLife,
    debtEnd: endOf(granted.owed, nowMs),
    left: granted.amount,
  };
}

/** The debt began to shrink when the server answered. Counted from now it may seem to last a round trip too long. */
function endOf({ us, part }: Debt, nowMs: number): Debt {
  return { us: Math.floor(nowMs * 1000) + us, part };
}

/** The server said what is owed, before or after it granted the lease. */
export function learnDebt(lease: Lease, owed: Debt, nowMs: number): void {
  const end = endOf(owed, nowMs);
  if (isMore(end, lease.debtEnd)) lease.debtEnd = end;
}

export function covers(lease: Lease, cost: number): boolean {
  return !isMore(priceIn(lease, cost), lease.left);
}

/** Whether so little is left that another lease should be asked for. */
export function isLow({ granted: { amount }, left }: Lease): boolean {
  return left.us * lowShare < amount.us;
}

/** Spends the cost, which the lease must cover. */
export function spendFrom(lease: Lease, cost: number): void {
  lease.left = without(lease.rate, lease.left, priceIn(lease, cost));
}

export function isSpentFrom({ granted: { amount }, left }: Lease): boolean {
  return isMore(amount, left);
}

/** Units that this process may take: those that the server last reported as left, and the unspent ones of the lease. */
export function leftWith(lease: Lease, cost: number, nowMs: number): Taken {
  const { rate, debtEnd, left } = lease;
  const us = debtEnd.us - Math.floor(nowMs * 1000);
  const owed = us < 0 ? noDebt : without(rate, { us, part: debtEnd.part }, left);
  return takenOf(rate, priceIn(lease, cost), true, owed);
}

function priceIn({ rate, unit }: Lease, cost: number): Debt {
  return cost === 1 ? unit : priceOf(rate, cost);
}
