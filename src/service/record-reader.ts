import type { KeyRecord } from "../core/key.ts";
import type { Clock } from "../ports/clock.ts";
import type { KeyStore } from "../ports/key-store.ts";
import type { RecordCache } from "../ports/record-cache.ts";

/** What a request's Cache-Control asks for (RFC 9111): `no-cache` skips the read, `no-store` the read and the write. */
export type CacheDirective = "none" | "no-cache" | "no-store";

/** How an answer came about, as Cache-Status tells it (RFC 9211). */
export type CacheOutcome = "hit" | "miss" | "bypass";

export interface RecordReader {
  /** The record as it is, or as it was at most the cache's TTL ago and has not been changed since through this process. */
  read(tenant: string, keyId: string, directive: CacheDirective): Promise<{ record: KeyRecord | null; outcome: CacheOutcome }>;
  /**
   * Tells of a change that the store has acknowledged. Once it resolves, no read that starts later answers the old record: the cache
   * holds the new one, and loads that began before the change are joined no more.
   */
  changed(tenant: string, record: KeyRecord): Promise<void>;
}

export interface RecordReaderOptions {
  readonly store: Pick<KeyStore, "get">;
  readonly cache: RecordCache;
  readonly clock: Clock;
  /** How long a record may be served without asking the store again. */
  readonly cacheTtlMs: number;
  /** The same for "there is no such key". */
  readonly negativeCacheTtlMs: number;
}

/** Reads records through the cache; concurrent misses of one key share one load. */
export function createRecordReader({ store, cache, clock, cacheTtlMs, negativeCacheTtlMs }: RecordReaderOptions): RecordReader {
  const loads = new Map<string, Promise<KeyRecord | null>>();

  const fill = (tenant: string, keyId: string, record: KeyRecord | null) => {
    const nowMs = clock();
    const deadlineMs = nowMs + (record === null ? negativeCacheTtlMs : cacheTtlMs);
    return cache.putIfNewer(tenant, keyId, { record, revision: record?.revision ?? 0, deadlineMs }, nowMs);
  };

  const loadAndFill = async (tenant: string, keyId: string) => {
    const record = await store.get(tenant, keyId);
    await fill(tenant, keyId, record);
    return record;
  };

  const sharedLoad = (tenant: string, keyId: string) => {
    const loadKey = `${tenant}\0${keyId}`;
    const underWay = loads.get(loadKey);
    if (underWay !== undefined) return underWay;
    const load = loadAndFill(tenant, keyId).finally(() => {
      if (loads.get(loadKey) === load) loads.delete(loadKey);
    });
    loads.set(loadKey, load);
    return load;
  };

  return {
    async read(tenant, keyId, directive) {
      if (directive === "no-store") return { record: await store.get(tenant, keyId), outcome: "bypass" };
      // Not a shared load: one that is under way may have read before this request came.
      if (directive === "no-cache") return { record: await loadAndFill(tenant, keyId), outcome: "bypass" };
      const entry = await cache.get(tenant, keyId, clock());
      if (entry !== undefined) return { record: entry.record, outcome: "hit" };
      return { record: await sharedLoad(tenant, keyId), outcome: "miss" };
    },

    async changed(tenant, record) {
      await fill(tenant, record.keyId, record);
      loads.delete(`${tenant}\0${record.keyId}`);
    },
  };
}
