import { add, convert, type Debt, isMore, isSameRate, maxOtherRates, noDebt, owedAt, type Rate, without } from "../../core/rate-limit.ts";

/** The debt of a key under one rate. */
export interface Balance {
  rate: Rate;
  /** When the debt ends, on the monotonic clock. */
  end: Debt;
  /** The same for what was spent here and reported to no server. */
  ownEnd: Debt;
  /** The server that knows the rest. */
  knownTo: string | undefined;
}

/**
 * The debts of a key under its present rate and under others that it had. Units that are spent under one rate are spent under all. So takes
 * under alternating policies admit no more than each of them allows.
 */
export interface Balances extends Balance {
  others: readonly Balance[];
}

/** Shared, so that a key with one policy has no list of its own. */
export const noOthers: readonly Balance[] = [];

/** Changes the present rate. */
export function turnTo(balances: Balances, rate: Rate, nowUs: number): void {
  if (isSameRate(balances.rate, rate)) return;
  const known = knownUnder(balances, rate);
  const [owed, own] = [owedBy(balances, rate, nowUs), ownOf(balances, rate, nowUs)];
  const left = { rate: balances.rate, end: balances.end, ownEnd: balances.ownEnd, knownTo: balances.knownTo };
  balances.others = mostOf([...balances.others.filter((other) => other !== known), left], nowUs);
  balances.rate = rate;
  balances.end = endOf(nowUs, owed);
  balances.ownEnd = endOf(nowUs, own);
  if (known !== undefined) balances.knownTo = known.knownTo;
}

/** Sets the end of the present debt. What it rises by is added to the other debts. */
export function setEnd(balances: Balances, end: Debt, nowUs: number): void {
  if (balances.others.length > 0) {
    const { rate } = balances;
    const more = without(rate, owedAt(rate.windowUs, nowUs, end), owedAt(rate.windowUs, nowUs, balances.end));
    for (const other of balances.others) other.end = laterBy(other.end, convert(more, rate, other.rate), other.rate, nowUs);
  }
  balances.end = end;
}

/** Adds to what was spent here and reported to no server. */
export function addOwn(balances: Balances, more: Debt, nowUs: number): void {
  const { rate } = balances;
  balances.ownEnd = endOf(nowUs, add(rate.partsPerUs, ownOf(balances, rate, nowUs), more));
  for (const other of balances.others) other.ownEnd = laterBy(other.ownEnd, convert(more, rate, other.rate), other.rate, nowUs);
}

/** Removes what was reported under the present rate. It may be only a part of what is to be reported under others with a higher quota. */
export function clearOwn(balances: Balances, own: Debt, nowUs: number): void {
  balances.ownEnd = noDebt;
  for (const other of balances.others) {
    const held = owedAt(other.rate.windowUs, nowUs, other.ownEnd);
    const reported = convert(own, balances.rate, other.rate);
    other.ownEnd = isMore(held, reported) ? endOf(nowUs, without(other.rate, held, reported)) : noDebt;
  }
}

export function owedBy(balances: Balances | undefined, rate: Rate, nowUs: number): Debt {
  if (balances === undefined) return noDebt;
  const { rate: from, end } = knownUnder(balances, rate) ?? balances;
  return under(rate, from, owedAt(from.windowUs, nowUs, end));
}

/** The debt that was spent here and reported to no server. */
export function ownOf(balances: Balances, rate: Rate, nowUs: number): Debt {
  const { rate: from, ownEnd } = knownUnder(balances, rate) ?? balances;
  return under(rate, from, owedAt(from.windowUs, nowUs, ownEnd));
}

export function hasEnded({ end, others }: Balances, nowUs: number): boolean {
  return end.us < nowUs && others.every((other) => other.end.us < nowUs);
}

export function endOf(nowUs: number, owed: Debt): Debt {
  return { us: nowUs + owed.us, part: owed.part };
}

function knownUnder({ rate: present, others }: Balances, rate: Rate): Balance | undefined {
  return others.length === 0 || isSameRate(present, rate) ? undefined : others.find((other) => isSameRate(other.rate, rate));
}

function under(rate: Rate, from: Rate, owed: Debt): Debt {
  return isSameRate(from, rate) ? owed : convert(owed, from, rate);
}

function laterBy(end: Debt, more: Debt, { windowUs, partsPerUs }: Rate, nowUs: number): Debt {
  return endOf(nowUs, owedAt(windowUs, 0, add(partsPerUs, owedAt(windowUs, nowUs, end), more)));
}

/** If there are too many, the one with the fewest spent units is forgotten. */
function mostOf(others: readonly Balance[], nowUs: number): readonly Balance[] {
  if (others.length <= maxOtherRates) return others;
  const units = ({ rate: { quota, windowUs }, end }: Balance) => (owedAt(windowUs, nowUs, end).us / windowUs) * Number(quota);
  const least = others.reduce((a, b) => (units(b) < units(a) ? b : a));
  return others.filter((other) => other !== least);
}
