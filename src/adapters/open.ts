import { dirname } from "node:path";
import type { AdminIssuer, CacheAddress, Config, Secrets, StoreAddress } from "../config/config.ts";
import { makeFolder } from "../config/make-folder.ts";
import { ConfigError } from "../config/problems.ts";
import { MalformedJwkSetsError } from "../core/token/jwk-set.ts";
import { unreachable } from "../core/unreachable.ts";
import { Failure } from "../error/failure.ts";
import { StartError } from "../error/start-error.ts";
import { systemReason } from "../error/system-reason.ts";
import type { IssuerKeys } from "../ports/issuer-keys.ts";
import type { AllTenantLimits, KeyStore } from "../ports/key-store.ts";
import type { LocalLedger } from "../ports/ledger.ts";
import type { Log } from "../ports/log.ts";
import type { RecordCache } from "../ports/record-cache.ts";
import type { SharedKeyStore } from "../ports/shared-key-store.ts";
import type { TokenKeySource } from "../ports/token-keys.ts";
import { createIssuerKeys } from "./jwk-sets/issuer-keys.ts";
import { openTokenKeys, type TokenKeysOptions } from "./jwk-sets/token-keys.ts";
import { createMemoryLedger } from "./memory/ledger.ts";
import { createMemoryRecordCache } from "./memory/record-cache.ts";
import { createNoRecordCache } from "./none/record-cache.ts";
import type { RedisBackend } from "./redis/open.ts";
import type { RedisSharedCacheOptions } from "./redis/shared-cache.ts";
import { openSqliteKeyStore } from "./sqlite/key-store.ts";

// The only file that names all adapters. It opens those that the settings choose. Adapters with a driver are loaded only then, because
// drivers are a fifth of a start (bench/start.ts).

export interface StoreOptions {
  readonly clock: () => number;
  readonly monotonicMs: () => number;
  readonly auditRetentionMs: number;
  readonly maxKeys: number | null;
  readonly tenantLimits: AllTenantLimits;
  readonly sqliteCacheMib: number;
  readonly log: Pick<Log, "info">;
}

export interface OpenedStore {
  readonly store: KeyStore;
  /** The same store if several processes can share it, otherwise null. */
  readonly shareable: SharedKeyStore | null;
}

/** Rejects with an error that names the setting. */
export async function openStore(address: StoreAddress, options: StoreOptions): Promise<OpenedStore> {
  try {
    return await openStoreAt(address, options);
  } catch (error) {
    throw storeStartError(error);
  }
}

/** Returns the error for a start that fails because of the store. Its message has the reason, which a Failure hides in its cause. */
export function storeStartError(error: unknown): unknown {
  if (!(error instanceof StartError || error instanceof Failure)) return error;
  const { message } = error instanceof Failure && error.cause instanceof Error ? error.cause : error;
  return new StartError(`KEYWRIGHT_STORE: ${message}`, { cause: error });
}

async function openStoreAt(address: StoreAddress, { sqliteCacheMib, ...options }: StoreOptions): Promise<OpenedStore> {
  switch (address.kind) {
    case "sqlite":
      makeStoreFolder(dirname(address.path));
      return { store: await openSqliteKeyStore({ path: address.path, cacheMib: sqliteCacheMib, ...options }), shareable: null };
    case "mongodb": {
      const { openMongoKeyStore } = await import("./mongo/key-store.ts");
      const store = await openMongoKeyStore({ uri: address.uri, ...options });
      return { store, shareable: store };
    }
    default:
      return unreachable(address);
  }
}

function makeStoreFolder(path: string): void {
  try {
    makeFolder(path);
  } catch (error) {
    throw new StartError(`${path}: cannot be created: ${systemReason(error)}`, { cause: error });
  }
}

export interface CacheOptions extends Pick<RedisSharedCacheOptions, "clock" | "monotonicMs" | "graceMs" | "log"> {
  readonly maxEntries: number;
  readonly shareable: SharedKeyStore | null;
}

export interface OpenedCache {
  readonly local: RecordCache;
  /** Null if there is no shared cache. */
  readonly redis: RedisBackend | null;
}

export async function openCache(address: CacheAddress, { maxEntries, shareable, ...options }: CacheOptions): Promise<OpenedCache> {
  switch (address.kind) {
    case "none":
      return { local: createNoRecordCache(), redis: null };
    case "memory":
      return { local: createMemoryRecordCache({ maxEntries }), redis: null };
    case "redis": {
      if (shareable === null) throw new Error("a cache that processes share requires a store that they share");
      const { openRedis } = await import("./redis/open.ts");
      const redis = await openRedis({ uri: address.uri, namespace: shareable.storeId, ...options });
      return { local: createMemoryRecordCache({ maxEntries }), redis };
    }
    default:
      return unreachable(address);
  }
}

/** The limits that one process counts on its own. */
export interface LocalLimits {
  readonly keys: LocalLedger;
  readonly addresses: LocalLedger;
}

export interface LocalLimitsOptions {
  readonly maxKeys: number;
  readonly maxAddresses: number;
  readonly monotonicMs: () => number;
  /** True if the limit of keys follows a shared one. */
  readonly isFollower: boolean;
}

export function createLocalLimits({ maxKeys, maxAddresses, monotonicMs, isFollower }: LocalLimitsOptions): LocalLimits {
  return {
    keys: createMemoryLedger({ maxEntries: maxKeys, monotonicMs, isFollower }),
    addresses: createMemoryLedger({ maxEntries: maxAddresses, monotonicMs }),
  };
}

/** Rejects with an error that names the setting. */
export async function openConfiguredTokenKeys(
  config: Config,
  { signingKeys }: Pick<Secrets, "signingKeys">,
  { log, monotonicMs }: Pick<TokenKeysOptions, "log" | "monotonicMs">,
): Promise<TokenKeySource> {
  try {
    return await openTokenKeys({
      uris: signingKeys,
      refreshMs: config.signingKeysRefreshMs,
      allowsPrivateAddresses: config.signingKeysPrivateAddresses === "allow",
      random: Math.random,
      monotonicMs,
      log,
    });
  } catch (error) {
    if (!(error instanceof MalformedJwkSetsError))
      throw new StartError(`KEYWRIGHT_SIGNING_KEYS: ${(error as Error).message}`, { cause: error });
    throw new ConfigError(error.problems.map((problem) => `KEYWRIGHT_SIGNING_KEYS: ${problem}`));
  }
}

/** The keys of issuers. An issuer that is opened again, for example after its rules changed, keeps the keys that were fetched before. */
export function openIssuerKeys(
  { adminIssuersPrivateAddresses }: Pick<Config, "adminIssuersPrivateAddresses">,
  { log, monotonicMs }: Pick<TokenKeysOptions, "log" | "monotonicMs">,
): (issuer: AdminIssuer) => IssuerKeys {
  const opened = new Map<string, IssuerKeys>();
  const allowsPrivateAddresses = adminIssuersPrivateAddresses === "allow";
  return ({ name, issuer, jwksUri }) => {
    const source = JSON.stringify([name, issuer, jwksUri]);
    const keys = opened.get(source) ?? createIssuerKeys({ name, issuer, jwksUri, allowsPrivateAddresses, monotonicMs, log });
    opened.set(source, keys);
    return keys;
  };
}
