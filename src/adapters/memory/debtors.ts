import { type Debt, noDebt, type Rate } from "../../core/rate-limit.ts";
import { type Balances, hasEnded, noOthers, setEnd, turnTo } from "./balances.ts";

/** The debt of one key. */
export interface Entry extends Balances {
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
   * Finds the entry and turns it to the rate if the policy has changed, so that the debt shrinks at the new rate from now on, even if
   * nothing can be taken.
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
      const [key, entry] = step.value as [string, Entry];
      if (hasEnded(entry, nowUs) || entries.size >= maxEntries) entries.delete(key);
    }
  };

  return {
    find: (key) => entries.get(key),
    findUnder(key, rate) {
      const entry = entries.get(key);
      if (entry !== undefined) turnTo(entry, rate, now());
      return entry;
    },
    owe(key, entry, rate, end) {
      if (entry !== undefined) {
        const nowUs = now();
        turnTo(entry, rate, nowUs);
        setEnd(entry, end, nowUs);
        return entry;
      }
      makeRoom(now());
      const added: Entry = { rate, end, ownEnd: noDebt, others: noOthers, knownTo: undefined, ownSpends: 0 };
      entries.set(key, added);
      return added;
    },
  };
}
