import { convert, type Debt, noDebt, owedAt, type Rate } from "../../core/rate-limit.ts";

/** The debt of one key. */
export interface Entry {
  rate: Rate;
  /** When the debt ends, on the monotonic clock. */
  end: Debt;
  /** The same for what was spent here and reported to no server. */
  ownEnd: Debt;
  knownTo: string | undefined;
  ownSpends: number;
}

/**
 * How many entries are checked for each new one. More than one, so that entries whose debt has ended are removed faster than new ones come.
 */
const lookedAtForNew = 4;

/** The entries of keys that owe something, up to a maximum number. */
export interface Debtors {
  find(key: string): Entry | undefined;
  /**
   * Finds the entry and converts its debt if the policy has changed, so that the debt shrinks at the new rate from now on, even if nothing
   * can be taken.
   */
  findUnder(key: string, rate: Rate): Entry | undefined;
  /** Sets the end of the debt. `entry` is the result of `find`. */
  owe(key: string, entry: Entry | undefined, rate: Rate, end: Debt): Entry;
}

export function createDebtors(maxEntries: number, now: () => number): Debtors {
  const entries = new Map<string, Entry>();
  let walk = entries.entries();

  /** Continues an endless walk over all entries, so that no timer is needed and no request waits for a sweep. */
  const makeRoom = (nowUs: number) => {
    for (let looked = 0; looked < lookedAtForNew && entries.size > 0; looked += 1) {
      let step = walk.next();
      if (step.done) {
        walk = entries.entries();
        step = walk.next();
      }
      const [key, { end }] = step.value as [string, Entry];
      if (end.us < nowUs || entries.size >= maxEntries) entries.delete(key);
    }
  };

  return {
    find: (key) => entries.get(key),
    findUnder(key, rate) {
      const entry = entries.get(key);
      if (entry !== undefined && !isSame(entry.rate, rate)) setDebt(entry, rate, endOf(now(), owedBy(entry, rate, now())), now());
      return entry;
    },
    owe(key, entry, rate, end) {
      if (entry !== undefined) {
        setDebt(entry, rate, end, now());
        return entry;
      }
      makeRoom(now());
      const added: Entry = { rate, end, ownEnd: noDebt, knownTo: undefined, ownSpends: 0 };
      entries.set(key, added);
      return added;
    },
  };
}

function setDebt(entry: Entry, rate: Rate, end: Debt, nowUs: number): void {
  if (!isSame(entry.rate, rate)) entry.ownEnd = endOf(nowUs, ownOf(entry, rate, nowUs));
  entry.rate = rate;
  entry.end = end;
}

export function owedBy(entry: Entry | undefined, rate: Rate, nowUs: number): Debt {
  return entry === undefined ? noDebt : under(entry, rate, owedAt(entry.rate.windowUs, nowUs, entry.end));
}

/** The debt that was spent here and reported to no server. */
export function ownOf(entry: Entry, rate: Rate, nowUs: number): Debt {
  return under(entry, rate, owedAt(entry.rate.windowUs, nowUs, entry.ownEnd));
}

export function endOf(nowUs: number, owed: Debt): Debt {
  return { us: nowUs + owed.us, part: owed.part };
}

/** Returns a debt of the entry, converted if the policy has changed. */
function under({ rate: own }: Entry, rate: Rate, owed: Debt): Debt {
  return isSame(own, rate) ? owed : convert(owed, own, rate);
}

function isSame(a: Rate, b: Rate): boolean {
  return a.quota === b.quota && a.windowUs === b.windowUs;
}
