import { unreachable } from "../core/unreachable.ts";
import type { CacheAddress, CacheConfig, StoreAddress, StoreConfig } from "./config.ts";

interface StoreTraits {
  /** For problems: "with MongoDB nothing is generated". */
  readonly title: string;
  /** Several processes may use the store at once. They must agree on their secrets, so none may generate its own. */
  readonly isShared: boolean;
}

/** What follows from the kind of store for other settings. */
export const storeTraits = {
  sqlite: { title: "SQLite", isShared: false },
  mongodb: { title: "MongoDB", isShared: true },
} as const satisfies Record<StoreAddress["kind"], StoreTraits>;

/** Kinds of cache that processes share. They need a store that processes share. */
export const isSharedCache = { memory: false, none: false, redis: true } as const satisfies Record<CacheAddress["kind"], boolean>;

/** What may be logged of a store's address. */
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

/** What may be logged of a cache's address. */
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

/** The file in which a store keeps its keys on this machine; null if it keeps none here. */
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
