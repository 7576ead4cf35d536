import type { ClientSession, MongoClient } from "mongodb";
import { idsAfter } from "./document.ts";
import type { Collections } from "./schema.ts";

/** Counts the keys of tenants that have a quota, so that `used` in their documents is right. */
export interface Counts {
  /** Resolves once this process has counted the tenant's keys. */
  counted(tenant: string): Promise<void>;
  isCounted(tenant: string): boolean;
  /** The next call of `counted` counts again. */
  forget(tenant: string): void;
}

/** `sinceOf`: `quotaSince` of `AllTenantLimits`. */
export function createCounts(
  client: MongoClient,
  { keys, keyCounts }: Pick<Collections, "keys" | "keyCounts">,
  sinceOf: (tenant: string) => number,
): Counts {
  const counts = new Map<string, { readonly since: number; readonly counting: Promise<void> }>();
  const done = new WeakSet<Promise<void>>();

  /**
   * Corrects the count, because processes without a quota do not update it. The count and the keys are read as of one moment, and the
   * difference is added to the count: changes after that moment apply to both. If several processes do this at once, one of them succeeds.
   */
  async function count(tenant: string): Promise<void> {
    await keyCounts.updateOne({ _id: tenant }, { $setOnInsert: { used: 0, corrections: 0 } }, { upsert: true });
    await using session = client.startSession({ snapshot: true });
    const before = await keyCounts.findOne({ _id: tenant }, unhurriedIn(session));
    if (before === null) throw new Error(`the key count of the tenant ${tenant} is gone`);
    const difference = (await countKeys(keys, tenant, session)) - before.used;
    const known = { _id: tenant, corrections: before.corrections };
    await keyCounts.updateOne(known, { $inc: { used: difference, corrections: 1 } });
  }

  /** The count of this process, unless the tenant had no limit since: then other processes may have changed the number unseen. */
  function countOf(tenant: string): Promise<void> | undefined {
    const known = counts.get(tenant);
    return known?.since === sinceOf(tenant) ? known.counting : undefined;
  }

  function counted(tenant: string): Promise<void> {
    const known = countOf(tenant);
    if (known !== undefined) return known;
    const counting = count(tenant);
    counts.set(tenant, { since: sinceOf(tenant), counting });
    counting.then(
      () => done.add(counting),
      () => {
        if (counts.get(tenant)?.counting === counting) counts.delete(tenant);
      },
    );
    return counting;
  }

  return {
    counted,
    isCounted(tenant) {
      const counting = countOf(tenant);
      return counting !== undefined && done.has(counting);
    },
    forget: (tenant) => void counts.delete(tenant),
  };
}

/** Counting ten million keys takes longer than any other read may. */
function unhurriedIn(session: ClientSession) {
  return { session, readConcern: { level: "snapshot" as const }, socketTimeoutMS: 0 };
}

async function countKeys(keys: Collections["keys"], tenant: string, session: ClientSession): Promise<number> {
  let total = 0;
  for (const kind of ["issued", "imported"]) {
    const pipeline = [{ $match: { kind, revoked: false, _id: idsAfter(tenant, "") } }, { $count: "count" }];
    const options = { ...unhurriedIn(session), hint: "keys_by_kind" };
    const [counted] = await keys.aggregate<{ count: number | bigint }>(pipeline, options).toArray();
    total += Number(counted?.count ?? 0);
  }
  // Disabled keys count, although the indexes show them as revoked. A chain of rotations counts as one key.
  for (const [hint, filter, sign] of [
    ["keys_disabled", { disabled: true }, 1],
    ["keys_placeless", { placeless: true as const }, -1],
  ] as const) {
    const pipeline = [{ $match: { ...filter, _id: idsAfter(tenant, "") } }, { $count: "count" }];
    const [counted] = await keys.aggregate<{ count: number | bigint }>(pipeline, { ...unhurriedIn(session), hint }).toArray();
    total += sign * Number(counted?.count ?? 0);
  }
  return total;
}
