import { unreachable } from "../core/unreachable.ts";
import type { CacheAddress, CacheConfig, StoreAddress, StoreConfig } from "./config.ts";

interface StoreTraits {
  /** Name of the store in problems, as in "required with MongoDB". */
  readonly title: string;
  /** True if several processes may use the store at once. They must agree on their secrets, so none may generate its own. */
  readonly isShared: boolean;
}

/** Consequences of the kind of store for other settings. */
export const storeTraits = {
  sqlite: { title: "SQLite", isShared: false },
  mongodb: { title: "MongoDB", isShared: true },
} as const satisfies Record<StoreAddress["kind"], StoreTraits>;

/** Whether processes share this kind of cache. A shared cache requires a shared store. */
export const isSharedCache = { memory: false, none: false, redis: true } as const satisfies Record<CacheAddress["kind"], boolean>;

/** The part of a store's address that may be logged. */
export function storeConfigOf(address: StoreAddress): StoreConfig {
  switch (address.kind) {
    case "sqlite":
      return { kind: "sqlite", path: address.path };
    case "mongodb":
      return { kind: "mongodb" };
    default:
      return unreachable(address);
  }
}

/** The part of a cache's address that may be logged. */
export function cacheConfigOf(address: CacheAddress): CacheConfig {
  switch (address.kind) {
    case "memory":
    case "none":
      return { kind: address.kind };
    case "redis":
      return { kind: "redis", topology: address.topology };
    default:
      return unreachable(address);
  }
}

/** The file in which a store keeps its keys on this machine, or null if there is none. */
export function databaseFileOf(store: StoreConfig): string | null {
  switch (store.kind) {
    case "sqlite":
      return store.path;
    case "mongodb":
      return null;
    default:
      return unreachable(store);
  }
}
