import { add, type Debt, isMore, noDebt, priceOf, rateOf, spend, takenOf } from "../../core/rate-limit.ts";
import { mapKeyOf } from "../../core/tenant.ts";
import type { KnownDebt, LocalLedger, SharedTake } from "../../ports/ledger.ts";
import { addOwn, clearOwn, endOf, owedBy, ownOf, turnTo } from "./balances.ts";
import { createDebtors, type Debtors, type Entry } from "./debtors.ts";

export interface MemoryLedgerOptions {
  /**
   * Maximum keys that owe something at the same time. Each takes some 320 bytes, or 420 in a follower, and about 200
   * more for each other policy that it had lately. At least 1.
   */
  readonly maxEntries: number;
  readonly monotonicMs: () => number;
  /** True if there is a shared limit to which local spending is reported. */
  readonly isFollower?: boolean;
}

const nothingKnown: KnownDebt = { owed: noDebt, own: noDebt, knownTo: undefined, ownSpends: 0 };

export function createMemoryLedger({ maxEntries, monotonicMs, isFollower = false }: MemoryLedgerOptions): LocalLedger {
  const now = () => Math.floor(monotonicMs() * 1000);
  const debtors = createDebtors(maxEntries, now);

  const book = (debtor: Entry, price: Debt, nowUs: number): void => {
    if (!isFollower) return;
    addOwn(debtor, price, nowUs);
    debtor.ownSpends += 1;
  };

  return {
    take(tenant, keyId, policy, cost) {
      const key = mapKeyOf(tenant, keyId);
      const rate = rateOf(policy);
      const entry = debtors.findUnder(key, rate);
      const nowUs = now();
      const price = priceOf(rate, cost);
      const { admitted, owed } = spend(rate, owedBy(entry, rate, nowUs), price);
      if (admitted && cost > 0) book(debtors.owe(key, entry, rate, endOf(nowUs, owed)), price, nowUs);
      return takenOf(rate, price, admitted, owed);
    },

    takeAll(tenant, limits, cost) {
      const nowUs = now();
      const all = limits.map(({ id, policy }) => {
        const [key, rate] = [mapKeyOf(tenant, id), rateOf(policy)];
        const [price, before] = [priceOf(rate, cost), owedBy(debtors.findUnder(key, rate), rate, nowUs)];
        return { key, rate, price, before, after: spend(rate, before, price) };
      });
      const isTaken = all.every(({ after }) => after.admitted);
      if (isTaken && cost > 0) {
        for (const { key, rate, price, after } of all) {
          // Found anew, because an entry that was added may have taken the place of another.
          book(debtors.owe(key, debtors.find(key), rate, endOf(nowUs, after.owed)), price, nowUs);
        }
      }
      return all.map(({ rate, price, before, after }) => takenOf(rate, price, after.admitted, isTaken ? after.owed : before));
    },

    mayOwe: (tenant, keyId) => debtors.find(mapKeyOf(tenant, keyId)) !== undefined,

    handOver(tenant, keyId, rate) {
      const entry = debtors.find(mapKeyOf(tenant, keyId));
      if (entry === undefined) return nothingKnown;
      const nowUs = now();
      turnTo(entry, rate, nowUs);
      const own = ownOf(entry, rate, nowUs);
      clearOwn(entry, own, nowUs);
      return { owed: owedBy(entry, rate, nowUs), own, knownTo: entry.knownTo, ownSpends: entry.ownSpends };
    },

    giveBack(tenant, keyId, rate, { own }) {
      const entry = debtors.find(mapKeyOf(tenant, keyId));
      if (entry === undefined || !isMore(own, noDebt)) return;
      const nowUs = now();
      turnTo(entry, rate, nowUs);
      addOwn(entry, own, nowUs);
    },

    learn: (take) => learn(debtors, take, now()),
  };
}

function learn(debtors: Debtors, { tenant, keyId, rate, price, known, answer, isTaken }: SharedTake, nowUs: number): void {
  const key = mapKeyOf(tenant, keyId);
  const entry = debtors.find(key);
  // Counted from now, although the debt began to shrink when the server answered. So it may last a round trip too long, but never too
  // short.
  const told = endOf(nowUs, answer.owed);
  if (entry === undefined) {
    if (isMore(answer.owed, noDebt)) debtors.owe(key, entry, rate, told).knownTo = answer.serverId;
    return;
  }
  const held = endOf(nowUs, owedBy(entry, rate, nowUs));
  if (entry.ownSpends === known.ownSpends) {
    debtors.owe(key, entry, rate, later(held, told)).knownTo = answer.serverId;
    return;
  }
  // The server does not know what was spent here in the meantime.
  debtors.owe(key, entry, rate, later(isTaken ? add(rate.partsPerUs, held, price) : held, told));
}

function later(a: Debt, b: Debt): Debt {
  return isMore(a, b) ? a : b;
}
