import type { ClientSession, MongoClient } from "mongodb";
import { Failure } from "../../error/failure.ts";
import type { KeyUse } from "../../ports/key-store.ts";
import type { WriteOptions } from "./database.ts";
import { idsAfter } from "./document.ts";
import type { Collections } from "./schema.ts";
import { aborted, inTransaction } from "./transaction.ts";

/** Counts each tenant's keys that are not revoked, in the transactions that change their number. */
export interface Quota {
  /**
   * Runs a transaction that may change the number of keys. In one process they run one after the other, because all of them write one
   * document and would only make each other retry. A caller waits no longer than its own deadline.
   */
  transaction<T>(tenant: string, signal: AbortSignal, body: (session: ClientSession) => Promise<T>): Promise<T>;
  /**
   * Resolves once this process has counted the tenant's keys. Call it before a transaction that takes places. Others need not wait: what
   * they give back is part of the count. If the keys are not counted when the signal aborts, rejects with STORE_UNAVAILABLE.
   */
  ready(tenant: string, signal: AbortSignal): Promise<void>;
  /** Whether `ready` need not be called. */
  isReady(tenant: string): boolean;
  /** Takes this many places. If fewer are free, takes none and returns the use. */
  take(tenant: string, count: number, options: WriteOptions): Promise<KeyUse | null>;
  /** Gives one place back. */
  release(tenant: string, options: WriteOptions): Promise<void>;
  /** Like `ready`, without a deadline. */
  counted(tenant: string): Promise<void>;
}

/** Where no tenant has a quota nothing is counted. */
function createNoQuota(client: MongoClient): Quota {
  return {
    transaction: (_tenant, signal, body) => inTransaction(client, signal, body),
    ready: async () => {},
    isReady: () => true,
    take: async () => null,
    release: async () => {},
    counted: async () => {},
  };
}

/** Counts only keys of tenants that have a limit now. */
export function createTenantQuota(client: MongoClient, collections: Collections, limitOf: (tenant: string) => number | null): Quota {
  const none = createNoQuota(client);
  const counting = createQuota(client, collections, limitOf);
  const quotaOf = (tenant: string): Quota => {
    if (limitOf(tenant) !== null) return counting;
    // A tenant that is not counted now must be counted again if it gets a limit.
    counting.forget(tenant);
    return none;
  };
  return {
    transaction: (tenant, signal, body) => quotaOf(tenant).transaction(tenant, signal, body),
    ready: (tenant, signal) => quotaOf(tenant).ready(tenant, signal),
    isReady: (tenant) => quotaOf(tenant).isReady(tenant),
    take: (tenant, count, options) => quotaOf(tenant).take(tenant, count, options),
    release: (tenant, options) => quotaOf(tenant).release(tenant, options),
    counted: (tenant) => quotaOf(tenant).counted(tenant),
  };
}

function createQuota(
  client: MongoClient,
  { keys, keyCounts }: Collections,
  limitOf: (tenant: string) => number | null,
): Quota & { forget(tenant: string): void } {
  const turns = new Map<string, Promise<unknown>>();
  const counts = new Map<string, Promise<void>>();
  const isCounted = new WeakSet<Promise<void>>();

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

  function counted(tenant: string): Promise<void> {
    const counting = counts.get(tenant) ?? count(tenant);
    counts.set(tenant, counting);
    counting.then(
      () => isCounted.add(counting),
      () => counts.delete(tenant),
    );
    return counting;
  }

  return {
    forget: (tenant) => void counts.delete(tenant),

    async take(tenant, placeCount, options) {
      const limit = limitOf(tenant);
      if (limit === null || placeCount === 0) return null;
      const hasRoom = { _id: tenant, used: { $lte: limit - placeCount } };
      if ((await keyCounts.updateOne(hasRoom, { $inc: { used: placeCount } }, options)).matchedCount === 1) return null;
      const found = await keyCounts.findOne({ _id: tenant }, options);
      return { limit, used: found?.used ?? limit };
    },

    async release(tenant, options) {
      // With upsert, so that a transaction as of a moment before the first count conflicts with it. Otherwise the place would be lost.
      await keyCounts.updateOne({ _id: tenant }, { $inc: { used: -1 }, $setOnInsert: { corrections: 0 } }, { ...options, upsert: true });
    },

    async ready(tenant, signal) {
      await Promise.race([counted(tenant), aborted(signal)]).catch((error: unknown) => {
        if (!signal.aborted) throw error;
        throw new Failure("STORE_UNAVAILABLE", {
          message: "the tenant's keys are not counted yet for its quota; try again",
          cause: error,
        });
      });
    },

    isReady(tenant) {
      const counting = counts.get(tenant);
      return counting !== undefined && isCounted.has(counting);
    },

    transaction(tenant, signal, body) {
      const turn = (turns.get(tenant) ?? Promise.resolve()).then(async () => {
        signal.throwIfAborted();
        return inTransaction(client, signal, body);
      });
      turns.set(
        tenant,
        turn.catch(() => {}),
      );
      return Promise.race([turn, aborted(signal)]);
    },

    counted,
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
