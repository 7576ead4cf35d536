import type { RateLimitPolicy } from "../core/key.ts";
import { askedLife, askedShare, holdingStayMs, leaseLifeUsOf, maxGrowth, minLeaseUnits, minTakes } from "../core/lease.ts";
import { type Debt, isMore, noDebt, priceOf, rateOf, type Taken, takenOf } from "../core/rate-limit.ts";
import { mapKeyOf } from "../core/tenant.ts";
import type { LocalLedger, SharedLedger } from "../ports/ledger.ts";
import type { Limit } from "../ports/rate-limiter.ts";
import { covers, isLow, isSpentFrom, type Lease, learnDebt, leftWith, spendFrom, startLease } from "./lease.ts";
import { createRecent } from "./recent.ts";
import { createRests, type Rests } from "./rests.ts";

/** The leases of this process (core/lease.ts). */
export interface Leases {
  /** Returns the limit if its lease covers the cost. Null: the server must be asked. */
  find(tenant: string, id: string, policy: RateLimitPolicy, cost: number): LeasedLimit | null;
  /** Spends the cost from the lease. Call it in the turn of the event loop in which `find` returned the limit. */
  spend(limit: LeasedLimit, cost: number): Taken;
  /** Returns what is left of the limit's lease, if there is one. */
  release(tenant: string, id: string): void;
  /** Call it after each take that the server admitted. `owed` is the debt after it. A process that takes often gets a lease. */
  note(tenant: string, limit: Limit, cost: number, owed: Debt): void;
}

export interface LeasesOptions {
  readonly local: Pick<LocalLedger, "handOver" | "giveBack" | "learn">;
  readonly shared: Pick<SharedLedger, "serverId" | "lease">;
  readonly monotonicMs: () => number;
  /** Runs the work after this time. It need not keep the process alive. */
  readonly schedule: (delayMs: number, work: () => void) => void;
}

/** A limit with a lease. */
export interface LeasedLimit extends Holding {
  lease: Lease;
}

interface Context extends LeasesOptions {
  readonly rests: Rests;
}

/** The state of a limit from which the process took lately. */
interface Holding {
  readonly tenant: string;
  readonly id: string;
  policy: RateLimitPolicy;
  lifeUs: number;
  lease: Lease | null;
  isAsking: boolean;
  /** Takes since `sinceMs`, and their units. */
  takes: number;
  units: number;
  sinceMs: number;
  /** The debt when the server last told it. */
  owed: Debt;
}

export function createLeases(options: LeasesOptions): Leases {
  const { shared, monotonicMs } = options;
  const context: Context = { ...options, rests: createRests() };
  const holdings = createRecent<Holding>(holdingStayMs);

  return {
    find(tenant, id, policy, cost) {
      const nowMs = monotonicMs();
      const holding = holdings.find(mapKeyOf(tenant, id), nowMs);
      const lease = holding?.lease;
      if (holding === undefined || lease == null) return null;
      if (nowMs >= lease.endMs || lease.granted.serverId !== shared.serverId || !isSame(lease.policy, policy) || !covers(lease, cost)) {
        // Returns the rest, so that the server can admit what the lease does not cover. After its life the server ignores it.
        end(context, holding, lease);
        return null;
      }
      return holding as LeasedLimit;
    },

    spend(holding, cost) {
      const { lease } = holding;
      const nowMs = monotonicMs();
      spendFrom(lease, cost);
      holding.takes += 1;
      holding.units += cost;
      if (nowMs >= lease.renewMs || isLow(lease)) renew(context, holding, nowMs);
      return leftWith(lease, cost, nowMs);
    },

    release(tenant, id) {
      const holding = holdings.find(mapKeyOf(tenant, id), monotonicMs());
      if (holding?.lease) end(context, holding, holding.lease);
    },

    note(tenant, { id, policy }, cost, owed) {
      const nowMs = monotonicMs();
      const key = mapKeyOf(tenant, id);
      let holding = holdings.find(key, nowMs);
      if (holding === undefined || !isSame(holding.policy, policy)) {
        const lifeUs = leaseLifeUsOf(policy);
        if (lifeUs === null) return;
        const lease = holding?.lease ?? null;
        if (holding !== undefined && lease !== null) end(context, holding, lease);
        holding = { tenant, id, policy, lifeUs, lease: null, isAsking: false, takes: 0, units: 0, sinceMs: nowMs, owed };
        holdings.set(key, holding);
      }
      if (nowMs - holding.sinceMs > (holding.lifeUs / 1000) * askedLife) restart(holding, nowMs);
      holding.takes += 1;
      holding.units += cost;
      holding.owed = owed;
      // The server may have taken it after it granted the lease.
      if (holding.lease === null) renew(context, holding, nowMs);
      else learnDebt(holding.lease, owed, nowMs);
    },
  };
}

/** Asks for what this process takes in `askedLife` at its present rate. */
function renew(context: Context, holding: Holding, nowMs: number): void {
  const { tenant, id, takes, units, sinceMs, owed, policy, lifeUs } = holding;
  if (holding.isAsking || takes < minTakes) return;
  const leasedMs = (lifeUs / 1000) * askedLife;
  const perMs = units / Math.max(nowMs - sinceMs, leasedMs / maxGrowth);
  const wanted = Math.min(Math.ceil(perMs * leasedMs), Number(takenOf(rateOf(policy), noDebt, true, owed).remaining / BigInt(askedShare)));
  restart(holding, nowMs);
  if (wanted >= minLeaseUnits && !context.rests.isResting(mapKeyOf(tenant, id), nowMs)) void ask(context, holding, wanted);
}

async function ask(context: Context, holding: Holding, units: number): Promise<void> {
  const { local, shared, monotonicMs, schedule, rests } = context;
  const { tenant, id, policy, lifeUs } = holding;
  const rate = rateOf(policy);
  const known = local.handOver(tenant, id, rate);
  // A take reports the units that this process spent on its own. Before that, the server does not know the debt.
  if (isMore(known.own, noDebt)) return local.giveBack(tenant, id, rate, known);
  if (known.knownTo === undefined || known.knownTo !== shared.serverId) return;
  const amount = priceOf(rate, units);
  const askedMs = monotonicMs();
  holding.isAsking = true;
  const answer = await shared.lease(tenant, { id, rate, lifeUs, amount, back: null });
  holding.isAsking = false;
  if (answer === null) rests.note(mapKeyOf(tenant, id), false, lifeUs / 1000, monotonicMs());
  const granted = answer?.lease ?? null;
  if (granted === null) return;
  const { owed, serverId } = granted;
  local.learn({ tenant, keyId: id, rate, price: amount, known, answer: { admitted: true, owed, serverId }, isTaken: true });
  holding.owed = owed;
  if (holding.lease !== null) end(context, holding, holding.lease);
  const nowMs = monotonicMs();
  const lease = startLease(granted, policy, rate, { askedMs, nowMs, lifeMs: lifeUs / 1000 });
  // Too late: the next one would be asked for at once, and come as late.
  if (nowMs >= lease.renewMs) return end(context, holding, lease);
  holding.lease = lease;
  schedule(Math.max(0, lease.giveBackMs - nowMs), () => {
    if (holding.lease === lease) end(context, holding, lease);
  });
}

/** Spends nothing more from the lease, and returns what is left. */
function end({ shared, rests, monotonicMs }: Context, holding: Holding, lease: Lease): void {
  const { tenant, id, lifeUs } = holding;
  const { granted, rate, left } = lease;
  holding.lease = null;
  rests.note(mapKeyOf(tenant, id), isSpentFrom(lease), lifeUs / 1000, monotonicMs());
  if (granted.serverId !== shared.serverId) return;
  void shared.lease(tenant, { id, rate, lifeUs, amount: noDebt, back: { lease: granted, left } });
}

function restart(holding: Holding, nowMs: number): void {
  holding.takes = 0;
  holding.units = 0;
  holding.sinceMs = nowMs;
}

function isSame(a: RateLimitPolicy, b: RateLimitPolicy): boolean {
  return a === b || (a.quota === b.quota && a.windowMs === b.windowMs);
}
