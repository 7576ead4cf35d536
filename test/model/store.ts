import type { KeyRecord } from "../../src/core/key.ts";
import { defaultTenant } from "../../src/core/tenant.ts";
import { Failure } from "../../src/error/failure.ts";
import type { CacheGeneration, CacheGenerationStore } from "../../src/ports/cache-generation.ts";
import type { InsertOutcome, KeyStore } from "../../src/ports/key-store.ts";
import type { Host } from "./host.ts";
import type { Link } from "./link.ts";
import type { Scheduler } from "./scheduler.ts";

/** The keys and generations of the real store; every operation is one step. */
export interface StoreState {
  readonly keys: Map<string, KeyRecord>;
  readonly tombstones: Map<string, number>;
  generation: CacheGeneration;
  /** Called for every state of a key, in order; null: deleted. */
  onCommit: (keyId: string, revision: number, record: KeyRecord | null) => void;
}

export function createStoreState(): StoreState {
  return { keys: new Map(), tombstones: new Map(), generation: { number: 0, cacheId: "" }, onCommit: () => {} };
}

type ModelStore = Pick<KeyStore, "get" | "getMany" | "insert" | "replace" | "rotate" | "delete" | "tombstoneRevision" | "list">;

/** The store as one process sees it, through a network: a call that fails may have been done, or may be done later. */
export function connectStore(
  state: StoreState,
  link: Link,
  host: Host,
  { after }: Scheduler,
  timeoutMs: number,
): { readonly keys: ModelStore; readonly generations: CacheGenerationStore } {
  const call = <T>(apply: () => T): Promise<T> => {
    const { life } = host;
    return new Promise<T>((resolve, reject) => {
      let isOver = false;
      const end = (settle: () => void) => {
        if (isOver) return;
        isOver = true;
        host.deliver(life, settle);
      };
      const fail = () => end(() => reject(new Failure("STORE_UNAVAILABLE")));
      after(timeoutMs, fail);
      link.carry(() => {
        const result = apply();
        link.carry(() => end(() => resolve(result)), fail);
      }, fail);
    });
  };

  const commit = (record: KeyRecord) => {
    state.keys.set(record.keyId, record);
    state.tombstones.delete(record.keyId);
    state.onCommit(record.keyId, record.revision, record);
  };
  const add = (given: KeyRecord): InsertOutcome => {
    if (state.keys.has(given.keyId)) return { outcome: "key_id_used" };
    const revision = Math.max(given.revision, (state.tombstones.get(given.keyId) ?? 0) + 1);
    const record = { ...given, revision, firstRevision: revision };
    commit(record);
    return { outcome: "inserted", record };
  };
  const replace = (record: KeyRecord): boolean => {
    if (state.keys.get(record.keyId)?.revision !== record.revision - 1) return false;
    commit(record);
    return true;
  };

  return {
    keys: {
      get: (_tenant, keyId) => call(() => state.keys.get(keyId) ?? null),
      getMany: (_tenant, keyIds) => call(() => keyIds.map((keyId) => state.keys.get(keyId) ?? null)),
      insert: (_tenant, record) => call(() => add(record)),
      replace: (_tenant, record) => call(() => replace(record)),
      rotate: (_tenant, retired, successor) => call(() => replace(retired) && add(successor).outcome === "inserted"),
      list: (tenant, { kind }) =>
        call(() => {
          // The other tenant has no records of its own.
          const records = tenant === defaultTenant ? [...state.keys.values()].filter((record) => record.kind === kind) : [];
          return { records, lastKeyId: null };
        }),
      delete: (_tenant, kind, keyId) =>
        call(() => {
          const record = state.keys.get(keyId);
          if (record?.kind !== kind) return null;
          const revision = record.revision + 1;
          state.keys.delete(keyId);
          state.tombstones.set(keyId, revision);
          state.onCommit(keyId, revision, null);
          return revision;
        }),
      tombstoneRevision: (_tenant, keyId) => call(() => state.tombstones.get(keyId) ?? null),
    },
    generations: {
      read: () => call(() => state.generation),
      advance: (from, cacheId) =>
        call(() => {
          if (state.generation.number === from) state.generation = { number: from + 1, cacheId };
          return state.generation;
        }),
    },
  };
}
