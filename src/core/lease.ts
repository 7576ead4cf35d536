import type { RateLimitPolicy } from "./key.ts";

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
/** Lives after a change of the rate in which no lease is granted, so that takes under alternating rates have none. */
export const livesAfterChange = 20;
/** A process asks for what it takes in this part of a life. */
export const askedLife = 0.25;
/** A process that takes less often than this in `askedLife` gets no lease. */
export const minTakes = 8;
/** A process asks for no more than this number of times what it has taken since it last asked. */
export const maxGrowth = 10;
/** A process asks for another lease if less than this part of the present one is left. */
export const lowShare = 4;
/** How long a process remembers what it takes from a limit. */
export const holdingStayMs = 200;

/** Null if the limit has no leases, because its quota or its window is too small. */
export function leaseLifeUsOf({ quota, windowMs }: RateLimitPolicy): number | null {
  if (quota < minLeaseUnits * askedShare) return null;
  const lifeUs = Math.min(maxLifeUs, Math.floor((windowMs * 1000) / livesPerWindow));
  return lifeUs < minLifeUs ? null : lifeUs;
}
