import { add, convert, type Debt, isMore, noDebt, owedAt, priceOf, type Rate, rateOf, spend, takenOf } from "../../core/rate-limit.ts";
import type { KnownDebt, LocalLedger } from "../../ports/ledger.ts";

export interface MemoryLedgerOptions {
  /** Maximum keys that owe something at the same time. Each takes some 320 bytes, or 420 in a follower. At least 1. */
  readonly maxEntries: number;
  readonly monotonicMs: () => number;
  /** True if there is a shared limit to which local spending is reported. */
  readonly isFollower?: boolean;
}

interface Entry {
  rate: Rate;
  /** When the debt ends, on the monotonic clock. */
  end: Debt;
  /** The same for what was spent here and reported to no server. */
  ownEnd: Debt;
  knownTo: string | undefined;
  ownSpends: number;
}

const nothingKnown: KnownDebt = { owed: noDebt, own: noDebt, knownTo: undefined, ownSpends: 0 };
/**
 * How many entries are checked for each new one. More than one, so that entries whose debt has ended are removed faster than new ones come.
 */
const lookedAtForNew = 4;

export function createMemoryLedger({ maxEntries, monotonicMs, isFollower = false }: MemoryLedgerOptions): LocalLedger {
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

  const now = () => Math.floor(monotonicMs() * 1000);
  const owedBy = (entry: Entry | undefined, rate: Rate, nowUs: number): Debt =>
    entry === undefined ? noDebt : under(entry, rate, owedAt(entry.rate.windowUs, nowUs, entry.end));
  const ownOf = (entry: Entry, rate: Rate, nowUs: number): Debt => under(entry, rate, owedAt(entry.rate.windowUs, nowUs, entry.ownEnd));
  const owe = (key: string, entry: Entry | undefined, rate: Rate, end: Debt): Entry => {
    if (entry !== undefined) {
      if (!isSame(entry.rate, rate)) entry.ownEnd = endOf(now(), ownOf(entry, rate, now()));
      entry.rate = rate;
      entry.end = end;
      return entry;
    }
    makeRoom(now());
    const added: Entry = { rate, end, ownEnd: noDebt, knownTo: undefined, ownSpends: 0 };
    entries.set(key, added);
    return added;
  };

  return {
    take(tenant, keyId, policy, cost) {
      const key = entryKey(tenant, keyId);
      const entry = entries.get(key);
      const nowUs = now();
      const rate = rateOf(policy);
      const price = priceOf(rate, cost);
      const { admitted, owed } = spend(rate, owedBy(entry, rate, nowUs), price);
      if (admitted && cost > 0) {
        const debtor = owe(key, entry, rate, endOf(nowUs, owed));
        if (isFollower) {
          debtor.ownEnd = endOf(nowUs, add(rate.partsPerUs, ownOf(debtor, rate, nowUs), price));
          debtor.ownSpends += 1;
        }
      }
      return takenOf(rate, price, admitted, owed);
    },

    mayOwe: (tenant, keyId) => entries.has(entryKey(tenant, keyId)),

    handOver(tenant, keyId, rate) {
      const entry = entries.get(entryKey(tenant, keyId));
      if (entry === undefined) return nothingKnown;
      const nowUs = now();
      const own = ownOf(entry, rate, nowUs);
      entry.ownEnd = noDebt;
      return { owed: owedBy(entry, rate, nowUs), own, knownTo: entry.knownTo, ownSpends: entry.ownSpends };
    },

    giveBack(tenant, keyId, rate, { own }) {
      const entry = entries.get(entryKey(tenant, keyId));
      if (entry === undefined || !isMore(own, noDebt)) return;
      const nowUs = now();
      const sum = add(rate.partsPerUs, ownOf(entry, rate, nowUs), own);
      owe(entryKey(tenant, keyId), entry, rate, endOf(nowUs, owedBy(entry, rate, nowUs))).ownEnd = endOf(nowUs, sum);
    },

    learn({ tenant, keyId, rate, price, known, answer }) {
      const key = entryKey(tenant, keyId);
      const entry = entries.get(key);
      const nowUs = now();
      // Counted from now, although the debt began to shrink when the server answered. So it may last a round trip too long, but never too
      // short.
      const told = endOf(nowUs, answer.owed);
      if (entry === undefined) {
        if (isMore(answer.owed, noDebt)) owe(key, entry, rate, told).knownTo = answer.serverId;
        return;
      }
      const held = endOf(nowUs, owedBy(entry, rate, nowUs));
      if (entry.ownSpends === known.ownSpends) {
        owe(key, entry, rate, later(held, told)).knownTo = answer.serverId;
        return;
      }
      // The server does not know what was spent here in the meantime.
      owe(key, entry, rate, later(answer.admitted ? add(rate.partsPerUs, held, price) : held, told));
    },
  };
}

function endOf(nowUs: number, owed: Debt): Debt {
  return { us: nowUs + owed.us, part: owed.part };
}

function later(a: Debt, b: Debt): Debt {
  return isMore(a, b) ? a : b;
}

/** Returns a debt of the entry, converted if the policy has changed. */
function under({ rate: own }: Entry, rate: Rate, owed: Debt): Debt {
  return isSame(own, rate) ? owed : convert(owed, own, rate);
}

function isSame(a: Rate, b: Rate): boolean {
  return a.quota === b.quota && a.windowUs === b.windowUs;
}

/** Tenants contain no NUL, so no two pairs share a key. */
function entryKey(tenant: string, keyId: string): string {
  return `${tenant}\0${keyId}`;
}
