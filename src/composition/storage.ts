import { randomUUID } from "node:crypto";
import { openCache } from "../adapters/open.ts";
import type { RecordReader } from "../cache/record-reader.ts";
import { createTrustedCache, type TrustedCache } from "../cache/trusted-cache.ts";
import type { KeyStore } from "../ports/key-store.ts";
import type { SharedLedger } from "../ports/ledger.ts";
import type { SharedCache } from "../ports/shared-cache.ts";
import { createTenantDirectory, type TenantDirectory } from "../service/tenants/tenant-directory.ts";
import { createTenantSettings, type TenantSettings } from "../service/tenants/tenant-settings.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Given } from "./given.ts";
import { schedule } from "./schedule.ts";
import { checkServerSecret } from "./server-secret.ts";

export interface Storage {
  readonly store: KeyStore;
  readonly cache: TrustedCache;
  readonly reader: RecordReader;
  readonly tenants: { readonly directory: TenantDirectory; readonly settings: TenantSettings };
  /** Null if there is no shared cache. */
  readonly shared: { readonly cache: SharedCache; readonly ledger: SharedLedger } | null;
}

const storeOutageGraceMs = 60_000;
/** The longest time in which a process may still write what it has read. */
const lateWriteMs = 60_000;
/**
 * How long Redis keeps an entry past its deadline: the entry that replaced a record must stay for as long as a process may still write the
 * older record.
 */
const sharedGraceMs = storeOutageGraceMs + lateWriteMs;

/** Opens the store, the verifier cache in front of it, and the tenants in it. */
export async function openStorage(given: Given, telemetry: Telemetry): Promise<Storage> {
  const { config, secrets, log, clock, monotonicMs, closing } = given;
  const { auditRetentionMs, maxKeys, cacheTtlMs, sqliteCacheMib } = config;
  const settings = createTenantSettings();
  const storeOptions = { clock, monotonicMs, auditRetentionMs, maxKeys, tenantLimits: settings, sqliteCacheMib, log };
  const { store: bareStore, shareable } = await given.openStore(secrets.store, storeOptions);
  closing.defer(() => bareStore.close());
  const store = telemetry.keyStore(bareStore, config.store.kind);
  await checkServerSecret(store, secrets.serverSecrets, log);
  const maxEntries = config.cacheMaxEntries;
  const { local, redis } = await openCache(secrets.cache, { maxEntries, shareable, graceMs: sharedGraceMs, clock, monotonicMs, log });
  const shared = redis === null ? null : { cache: telemetry.sharedCache(redis.sharedCache), ledger: telemetry.sharedLedger(redis.ledger) };
  closing.defer(() => shared?.cache.close());
  const cache = createTrustedCache({
    store,
    generations: shareable === null ? null : telemetry.generations(shareable.cacheGeneration),
    local,
    shared: shared?.cache ?? null,
    clock,
    monotonicMs,
    cacheTtlMs,
    graceMs: config.storeOutage === "serve" ? storeOutageGraceMs : 0,
    createBeatId: randomUUID,
    schedule,
    observe: telemetry.observeRead,
  });
  const tenants = { directory: createTenantDirectory({ store, cache, settings, monotonicMs }), settings };
  return { store, cache, reader: telemetry.reader(cache.reader), tenants, shared };
}
