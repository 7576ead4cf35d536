import type { ClientSession, MongoClient } from "mongodb";
import { Failure } from "../../error/failure.ts";
import type { KeyUse } from "../../ports/key-store.ts";
import type { WriteOptions } from "./database.ts";
import { createCounts } from "./key-counts.ts";
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

/** Counts only keys of tenants that have a limit now. `sinceOf`: `quotaSince` of `AllTenantLimits`. */
export function createTenantQuota(
  client: MongoClient,
  collections: Collections,
  limitOf: (tenant: string) => number | null,
  sinceOf: (tenant: string) => number = () => 0,
): Quota {
  const none = createNoQuota(client);
  const counting = createQuota(client, collections, limitOf, sinceOf);
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
  sinceOf: (tenant: string) => number,
): Quota & { forget(tenant: string): void } {
  const turns = new Map<string, Promise<unknown>>();
  const counts = createCounts(client, { keys, keyCounts }, sinceOf);

  return {
    forget: counts.forget,

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
      await Promise.race([counts.counted(tenant), aborted(signal)]).catch((error: unknown) => {
        if (!signal.aborted) throw error;
        throw new Failure("STORE_UNAVAILABLE", {
          message: "the tenant's keys are not counted yet for its quota; try again",
          cause: error,
        });
      });
    },

    isReady: counts.isCounted,

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

    counted: counts.counted,
  };
}
