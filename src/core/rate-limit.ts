import type { RateLimitPolicy } from "./key.ts";

/*
 * The generic cell rate algorithm (ITU-T I.371) with the whole quota as its burst. A key owes time: each unit costs window / quota, the debt
 * melts as time passes, and a cost is admitted while the debt stays within one window. So over any span t at most quota + t * quota / window
 * units are admitted, and never fewer than a bucket of this size and refill would give.
 *
 * A unit's time is seldom a whole number of microseconds, so a debt counts parts of a microsecond as well, `quota` of them, in which every
 * cost is a whole number: no rounding, so no drift. A quota above 2^52 has 2^52 parts, for which costs are rounded up: that admits never more,
 * and takes less than a microsecond from 2^52 requests. All of it are whole numbers that doubles hold exactly, in Redis's Lua too.
 */

/** Time in microseconds and, below one, parts of the rate's `partsPerUs`. */
export interface Debt {
  readonly us: number;
  readonly part: number;
}

export interface Rate {
  readonly quota: bigint;
  readonly windowUs: number;
  readonly partsPerUs: number;
}

/** What became of a cost, and what is left. Spans, not moments: whoever counted may have another clock. */
export interface Taken {
  readonly admitted: boolean;
  /** Units that are left now. */
  readonly remaining: bigint;
  /** Until the whole quota is there again. */
  readonly resetAfterMs: number;
  /** Until the refused cost could be admitted; 0 where it was, null where it never can: it is above the quota. */
  readonly retryAfterMs: number | null;
}

const maxParts = 2 ** 52;
const usPerMs = 1000;

export const noDebt: Debt = { us: 0, part: 0 };

/** Only requests can be counted here: bytes and concurrency are known to whoever carries them. */
export function isEnforced(policy: RateLimitPolicy | null): policy is RateLimitPolicy {
  return policy !== null && policy.unit === "requests";
}

export function rateOf({ quota, windowMs }: RateLimitPolicy): Rate {
  return { quota, windowUs: windowMs * usPerMs, partsPerUs: quota <= maxParts ? Number(quota) : maxParts };
}

/** The debt that `cost` units make, a whole number; more than a window where it is above the quota. */
export function priceOf({ quota, windowUs, partsPerUs }: Rate, cost: number): Debt {
  if (cost > quota) return { us: windowUs + 1, part: 0 };
  const parts = cost * windowUs;
  if (quota <= maxParts && Number.isSafeInteger(parts)) {
    const part = parts % partsPerUs;
    return { us: (parts - part) / partsPerUs, part };
  }
  const scale = BigInt(partsPerUs);
  const exact = (BigInt(cost) * BigInt(windowUs) * scale + quota - 1n) / quota;
  return { us: Number(exact / scale), part: Number(exact % scale) };
}

/** Where the price is refused the debt stays as it is. */
export function spend({ windowUs, partsPerUs }: Rate, owed: Debt, price: Debt): { readonly admitted: boolean; readonly owed: Debt } {
  const sum = add(partsPerUs, owed, price);
  const admitted = sum.us < windowUs || (sum.us === windowUs && sum.part === 0);
  return { admitted, owed: admitted ? sum : owed };
}

export function add(partsPerUs: number, { us, part }: Debt, more: Debt): Debt {
  const parts = part + more.part;
  return parts < partsPerUs ? { us: us + more.us, part: parts } : { us: us + more.us + 1, part: parts - partsPerUs };
}

/** What is left of a debt at `nowUs` that ends at `end`; never more than a window, whatever became of the clock. */
export function owedAt(windowUs: number, nowUs: number, end: Debt): Debt {
  const us = end.us - nowUs;
  if (us < 0) return noDebt;
  return us < windowUs ? { us, part: end.part } : { us: windowUs, part: 0 };
}

export function isMore(a: Debt, b: Debt): boolean {
  return a.us > b.us || (a.us === b.us && a.part > b.part);
}

/** The debt under another policy, to the microsecond: units that were spent stay spent, as far as the new quota reaches. */
export function convert({ us, part }: Debt, from: Rate, to: Rate): Debt {
  const spentShare = ((us + part / from.partsPerUs) / from.windowUs) * (Number(from.quota) / Number(to.quota));
  return { us: Math.min(to.windowUs, Math.ceil(spentShare * to.windowUs)), part: 0 };
}

export function takenOf(rate: Rate, price: Debt, admitted: boolean, owed: Debt): Taken {
  return {
    admitted,
    remaining: remaining(rate, owed),
    resetAfterMs: wholeMs(owed),
    retryAfterMs: admitted ? 0 : price.us > rate.windowUs ? null : wholeMs(add(rate.partsPerUs, owed, price)) - rate.windowUs / usPerMs,
  };
}

function remaining({ quota, windowUs, partsPerUs }: Rate, { us, part }: Debt): bigint {
  const left = (windowUs - us) * partsPerUs - part;
  if (quota <= maxParts && Number.isSafeInteger(left)) return BigInt((left - (left % windowUs)) / windowUs);
  const scale = BigInt(partsPerUs);
  return ((BigInt(windowUs - us) * scale - BigInt(part)) * quota) / (scale * BigInt(windowUs));
}

/** Rounded up. */
function wholeMs({ us, part }: Debt): number {
  return Math.ceil((part > 0 ? us + 1 : us) / usPerMs);
}
