import type { RateLimitPolicy } from "./key.ts";
import { type Debt, noDebt, type Rate } from "./rate-limit.ts";

/*
 * A lease is a number of units that a process has paid to the shared ledger in advance and then spends without asking. Why the limit stays
 * exact is in ARCHITECTURE.md, "Leases of rate limits".
 */

/** A lease may be returned to the ledger until this time after it was granted. */
const maxLifeUs = 200_000;
/** A lease whose life is shorter is not worth the round trip. */
const minLifeUs = 10_000;
/** Windows per life. A key that owes less than this share of its window when a lease is granted counts as owing it. */
const livesPerWindow = 512;
/** A smaller lease is not worth the round trip. */
export const minLeaseUnits = 8;
/** A process asks for no more than this part of what is left. The ledger grants at most twice as much. */
export const askedShare = 128;
export const grantedShare = 64;
/** All leases of a limit together are at most this part of what is left. */
export const leasedShare = 8;

/*
 * Parts of a lease's life, counted from the moment it was asked for. Much of it is for the way back, because what does not return in time
 * is lost, and some for clocks of different speed.
 */
export const spendableLife = 0.5;
export const givenBackLife = 0.3;
export const renewedLife = 0.2;
/** A process asks for what it takes in this part of a life. */
export const askedLife = 0.25;

/** Null if the limit has no leases, because its quota or its window is too small. */
export function leaseLifeUsOf({ quota, windowMs }: RateLimitPolicy): number | null {
  if (quota < minLeaseUnits * askedShare) return null;
  const lifeUs = Math.min(maxLifeUs, Math.floor((windowMs * 1000) / livesPerWindow));
  return lifeUs < minLifeUs ? null : lifeUs;
}

/** The first debt without the second, which is not more. */
export function without({ partsPerUs }: Pick<Rate, "partsPerUs">, { us, part }: Debt, less: Debt): Debt {
  const parts = part - less.part;
  const rest = parts < 0 ? { us: us - less.us - 1, part: parts + partsPerUs } : { us: us - less.us, part: parts };
  return rest.us < 0 ? noDebt : rest;
}
