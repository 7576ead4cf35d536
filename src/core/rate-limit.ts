import type { RateLimitPolicy } from "./key.ts";

/*
 * The generic cell rate algorithm (ITU-T I.371), with the whole quota as its burst. A key owes time. Each unit costs window / quota, and
 * the debt shrinks as time passes. A cost is admitted if the debt stays within one window. So over any span t at most quota + t * quota /
 * window units are admitted, and never fewer than from a token bucket of this size and refill rate.
 *
 * The time of a unit is rarely a whole number of microseconds. So a microsecond has `quota` parts, and a debt counts these too. In parts,
 * every cost is a whole number: there is no rounding, and so no drift. A quota above 2^52 has 2^52 parts, and its costs are rounded up.
 * That never admits more, and costs less than a microsecond in 2^52 requests. All values are whole numbers that doubles hold exactly, in
 * Redis's Lua too.
 */

/** A time: whole microseconds, and parts of one. The rate says how many parts a microsecond has (`partsPerUs`). */
export interface Debt {
  readonly us: number;
  readonly part: number;
}

export interface Rate {
  readonly quota: bigint;
  readonly windowUs: number;
  readonly partsPerUs: number;
}

/** Whether a cost was admitted, and what is left. Times are durations, because the server that counts may have another clock. */
export interface Taken {
  readonly admitted: boolean;
  /** Units that are left. */
  readonly remaining: bigint;
  /** Time until the whole quota is available again. */
  readonly resetAfterMs: number;
  /** Time until the cost can be admitted. 0 if it was admitted. Null if it never can be, because it is above the quota. */
  readonly retryAfterMs: number | null;
}

const maxParts = 2 ** 52;
const usPerMs = 1000;

/** A ledger keeps the debts of a key under the present rate and under this many others, so that alternating policies forget nothing. */
export const maxOtherRates = 4;

export const noDebt: Debt = { us: 0, part: 0 };

/**
 * Reports whether this service enforces the policy. It can count only requests. Bytes and concurrency are known only to the service that
 * the key protects.
 */
export function isEnforced(policy: RateLimitPolicy | null): policy is RateLimitPolicy {
  return policy !== null && policy.unit === "requests";
}

export function rateOf({ quota, windowMs }: RateLimitPolicy): Rate {
  return { quota, windowUs: windowMs * usPerMs, partsPerUs: quota <= maxParts ? Number(quota) : maxParts };
}

/** The debt that `cost` units (a whole number) make. More than a window if the cost is above the quota. */
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

/** Adds the price to the debt if it is admitted. If it is refused, the debt does not change. */
export function spend({ windowUs, partsPerUs }: Rate, owed: Debt, price: Debt): { readonly admitted: boolean; readonly owed: Debt } {
  const sum = add(partsPerUs, owed, price);
  const admitted = sum.us < windowUs || (sum.us === windowUs && sum.part === 0);
  return { admitted, owed: admitted ? sum : owed };
}

export function add(partsPerUs: number, { us, part }: Debt, more: Debt): Debt {
  const parts = part + more.part;
  return parts < partsPerUs ? { us: us + more.us, part: parts } : { us: us + more.us + 1, part: parts - partsPerUs };
}

/** The first debt without the second, which is not more. */
export function without({ partsPerUs }: Pick<Rate, "partsPerUs">, { us, part }: Debt, less: Debt): Debt {
  const parts = part - less.part;
  const rest = parts < 0 ? { us: us - less.us - 1, part: parts + partsPerUs } : { us: us - less.us, part: parts };
  return rest.us < 0 ? noDebt : rest;
}

/** The rest, at `nowUs`, of a debt that ends at `end`. Never more than a window, even if the clock was set back. */
export function owedAt(windowUs: number, nowUs: number, end: Debt): Debt {
  const us = end.us - nowUs;
  if (us < 0) return noDebt;
  return us < windowUs ? { us, part: end.part } : { us: windowUs, part: 0 };
}

export function isMore(a: Debt, b: Debt): boolean {
  return a.us > b.us || (a.us === b.us && a.part > b.part);
}

/** The debt under another policy, rounded up to a part. Spent units stay spent, up to the new quota. */
export function convert({ us, part }: Debt, from: Rate, to: Rate): Debt {
  const spentShare = ((us + part / from.partsPerUs) / from.windowUs) * (Number(from.quota) / Number(to.quota));
  const exactUs = spentShare * to.windowUs;
  if (exactUs >= to.windowUs) return { us: to.windowUs, part: 0 };
  const wholeUs = Math.floor(exactUs);
  const parts = Math.ceil((exactUs - wholeUs) * to.partsPerUs);
  return parts < to.partsPerUs ? { us: wholeUs, part: parts } : { us: wholeUs + 1, part: 0 };
}

export function isSameRate(a: Rate, b: Rate): boolean {
  return a.quota === b.quota && a.windowUs === b.windowUs;
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
