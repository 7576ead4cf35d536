import { setImmediate as nextTurn } from "node:timers/promises";
import { defaultTenant } from "../../core/tenant.ts";
import { defaultAuditRetentionMs } from "../../ports/audit-trail.ts";
import type { Clock } from "../../ports/clock.ts";
import { type AllTenantLimits, noTenantLimits } from "../../ports/key-store.ts";
import type { SharedKeyStore } from "../../ports/shared-key-store.ts";
import { appendEvents, listEvents, removeOldEvents } from "./audit.ts";
import { createCacheGenerationStore } from "./cache-generation.ts";
import { type MongoDatabase, type MongoOptions, openDatabase } from "./database.ts";
import { documentId } from "./document.ts";
import { createGroupInsert } from "./group-insert.ts";
import { createGroupRead } from "./group-read.ts";
import { createInsertMany } from "./insert-many.ts";
import { isCounted } from "./insertion.ts";
import { createKeys } from "./keys.ts";
import { listKeys } from "./list.ts";
import { createTenantQuota } from "./quota.ts";
import { collectionsOf, ensureSchema } from "./schema.ts";
import { acceptSecretMarks, readStoreId, readTokenSalt } from "./store-values.ts";

export interface MongoKeyStoreOptions extends MongoOptions {
  readonly clock: Clock;
  /** How long audit events are kept. Default: `defaultAuditRetentionMs`. */
  readonly auditRetentionMs?: number | undefined;
  /** Maximum keys per tenant that are not revoked; null or absent: unlimited. */
  readonly maxKeys?: number | null | undefined;
  /** Limits of single tenants. */
  readonly tenantLimits?: AllTenantLimits | undefined;
  /** Interval at which events of tenants with their own retention time are removed. Default: 60000. */
  readonly retentionIntervalMs?: number | undefined;
}

/**
 * The store in a MongoDB replica set or sharded cluster, for any number of processes. Creates missing collections and indexes. Rejects with
 * an Error that names the hosts if it cannot be used.
 */
export async function openMongoKeyStore(options: MongoKeyStoreOptions): Promise<SharedKeyStore> {
  const { auditRetentionMs = defaultAuditRetentionMs } = options;
  const database = await openDatabase(options, (db) => ensureSchema(db, auditRetentionMs));
  try {
    return await createMongoKeyStore(database, { ...options, auditRetentionMs });
  } catch (error) {
    await database.close();
    throw error;
  }
}

type CreateOptions = MongoKeyStoreOptions & { readonly auditRetentionMs: number };

/** If it rejects, nothing is left that must be closed. */
async function createMongoKeyStore(database: MongoDatabase, options: CreateOptions): Promise<SharedKeyStore> {
  const { auditRetentionMs, maxKeys = null } = options;
  const { client, run } = database;
  const storeId = await run((signal) => readStoreId(database.db, signal));
  const tokenSalt = await run((signal) => readTokenSalt(database.db, signal));
  const collections = collectionsOf(database.db);
  const tenantLimits = options.tenantLimits ?? noTenantLimits;
  const quota = createTenantQuota(client, collections, (tenant) => tenantLimits.of(tenant).maxKeys ?? maxKeys, tenantLimits.quotaSince);
  await quota.counted(defaultTenant);
  const keys = createKeys(client, collections, quota, options.clock);
  const insertMany = createInsertMany({ collections, quota, clock: options.clock }, run);
  const groupInsert = createGroupInsert(insertMany, maxKeys === null ? undefined : 1);
  const readOne = createGroupRead((ids) => run((signal) => keys.getMany(ids, signal)), database.isSharded ? 1 : undefined);

  const get = async (tenant: string, keyId: string) => (await readOne(documentId(tenant, keyId))) ?? null;

  const retention = setInterval(() => {
    for (const { tenantId, auditRetentionMs: ownMs } of tenantLimits.all()) {
      if (ownMs === null || ownMs >= auditRetentionMs) continue;
      // If it fails, it is tried again the next time.
      run((signal) => removeOldEvents(collections.auditEvents, tenantId, options.clock() - ownMs, ownMs, signal)).catch(() => {});
    }
  }, options.retentionIntervalMs ?? 60_000);
  retention.unref();

  return {
    async insert(tenant, record, request, event) {
      const insertion = { record, request, eventOf: () => event };
      // Not only in the group, because inserts of other tenants wait for it and fail with it.
      if (isCounted(insertion) && !quota.isReady(tenant)) await run((signal) => quota.ready(tenant, signal));
      return groupInsert.insert(tenant, insertion);
    },
    // Copies, because the same item may be given twice with different outcomes.
    insertMany: (tenant, items, eventOf) =>
      insertMany(
        tenant,
        items.map((item) => ({ ...item, eventOf })),
      ),
    get,
    getMany: (tenant, keyIds) => Promise.all(keyIds.map((keyId) => get(tenant, keyId))),
    list: (tenant, query) => run((signal) => listKeys(collections.keys, tenant, query, signal)),
    replace: (tenant, record, event) => run((signal) => keys.replace(tenant, record, event, signal)),
    rotate: (tenant, retired, successor, event, request = null) =>
      run((signal) => keys.rotate(tenant, { retired, successor, request }, event, signal)),
    findRequest: (tenant, kind, requestId) => run((signal) => keys.findRequest(tenant, kind, requestId, signal)),
    delete: (tenant, kind, keyId, event, options) => run((signal) => keys.delete(tenant, { ...options, kind, keyId }, event, signal)),
    tombstoneRevision: (tenant, keyId) => run((signal) => keys.tombstoneRevision(tenant, keyId, signal)),
    touch: (uses) => run((signal) => keys.touch(uses, signal)),
    audit: {
      append: (tenant, events) => run((signal) => appendEvents(collections.auditEvents, tenant, events, signal)),
      list: (tenant, query) => run((signal) => listEvents(collections.auditEvents, tenant, query, signal)),
    },
    acceptSecrets: (secrets) => run((signal) => acceptSecretMarks(database.db, secrets, signal)),
    ping: () => run(async (signal) => void (await database.db.command({ ping: 1 }, { signal }))),
    async close() {
      clearInterval(retention);
      // Reads of this turn are in progress only in the next.
      await nextTurn();
      await groupInsert.settled();
      await database.close();
    },
    cacheGeneration: createCacheGenerationStore(database),
    storeId,
    tokenSalt,
  };
}
