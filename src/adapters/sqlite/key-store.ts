import type { AuditEvent } from "../../core/audit.ts";
import { defaultAuditRetentionMs } from "../../ports/audit-trail.ts";
import type { Clock } from "../../ports/clock.ts";
import { type AllTenantLimits, type InsertOutcome, type KeyStore, type NewKey, noTenantLimits } from "../../ports/key-store.ts";
import type { Log } from "../../ports/log.ts";
import { createAccess } from "./access.ts";
import { prepareAudit } from "./audit.ts";
import { openDatabase } from "./database.ts";
import { prepareExpiry, startExpiry } from "./expiry.ts";
import { alone } from "./group-commit.ts";
import { prepareList } from "./index-walk.ts";
import { prepareKeys } from "./keys.ts";
import { prepareRetentionClock } from "./retention-clock.ts";
import { prepareSecretMarks } from "./secret-marks.ts";
import { rowsOfNewKey, writeInParts } from "./write-parts.ts";

export interface SqliteKeyStoreOptions {
  /** The database file, created if it does not exist. Its folder must exist. One process at a time. */
  readonly path: string;
  readonly clock: Clock;
  /** Milliseconds that only increase, at the speed of real time. Default: `performance.now`. */
  readonly monotonicMs?: (() => number) | undefined;
  /** How long audit events are kept. Default: `defaultAuditRetentionMs`. */
  readonly auditRetentionMs?: number | undefined;
  /** Maximum keys per tenant that are not revoked; null or absent: unlimited. */
  readonly maxKeys?: number | null | undefined;
  /** Limits of single tenants. */
  readonly tenantLimits?: AllTenantLimits | undefined;
  /** Maximum memory for pages of the file. Default: `defaultCacheMib`. */
  readonly cacheMib?: number | undefined;
  readonly log?: Pick<Log, "info"> | undefined;
  /** Interval at which expired data is removed. Default: 60000. */
  readonly expiryIntervalMs?: number | undefined;
}

/**
 * The store in one SQLite file. Reads and commits run on the calling thread, because node:sqlite has no other way and a read takes a few
 * microseconds. Rejects with an Error that names the file if it cannot be used, for example while another process uses it.
 */
export async function openSqliteKeyStore(options: SqliteKeyStoreOptions): Promise<KeyStore> {
  const {
    auditRetentionMs = defaultAuditRetentionMs,
    expiryIntervalMs = 60_000,
    maxKeys = null,
    monotonicMs = () => performance.now(),
  } = options;
  const database = openDatabase(options.path, options.cacheMib, (file) =>
    options.log?.info({ file }, "updating the file of an older version; with many keys this may take minutes, see docs/operations.md"),
  );
  const tenantLimits = options.tenantLimits ?? noTenantLimits;
  const keys = prepareKeys(database, options.clock, (tenant) => tenantLimits.of(tenant).maxKeys ?? maxKeys);
  const audit = prepareAudit(database);
  const list = prepareList(database);
  const acceptSecrets = prepareSecretMarks(database);
  const removeSomeExpired = prepareExpiry(database, prepareRetentionClock(database, options.clock, monotonicMs), (tenant) =>
    Math.min(auditRetentionMs, tenantLimits.of(tenant).auditRetentionMs ?? auditRetentionMs),
  );
  const { read, readStep, write, ping, close } = createAccess(database, options.path);
  const salt = database.prepare("SELECT value FROM store WHERE name = 'token_salt'").get() as { value: Uint8Array };

  function insertAll(tenant: string, items: readonly NewKey[], eventOf: (keyIds: readonly string[]) => AuditEvent): InsertOutcome[] {
    const outcomes = items.map((item) => keys.insert(tenant, item));
    const keyIds = outcomes.flatMap((outcome) => (outcome.outcome === "inserted" ? outcome.record.keyId : []));
    if (keyIds.length > 0) audit.add(tenant, eventOf(keyIds));
    return outcomes;
  }

  /** Returns the outcome of a change. Writes its event unless the outcome is `unchanged`. */
  function audited<T>(tenant: string, event: AuditEvent, outcome: T, unchanged: T): T {
    if (outcome !== unchanged) audit.add(tenant, event);
    return outcome;
  }

  const stopExpiry = startExpiry(() => write(removeSomeExpired, alone), expiryIntervalMs);

  return {
    tokenSalt: salt.value,
    insert: (tenant, record, request, event) =>
      write(() => insertAll(tenant, [{ record, request }], () => event)[0] as InsertOutcome, rowsOfNewKey({ record })),
    async insertMany(tenant, items, eventOf) {
      return (await writeInParts(write, items, rowsOfNewKey, (part) => insertAll(tenant, part, eventOf))).flat();
    },
    get: async (tenant, keyId) => read(() => keys.get(tenant, keyId)),
    getMany: async (tenant, keyIds) => read(() => keyIds.map((keyId) => keys.get(tenant, keyId))),
    list: (tenant, query) => readStep(() => list(tenant, query)),
    replace: (tenant, record, event) => write(() => audited(tenant, event, keys.replace(tenant, record), false)),
    rotate: (tenant, retired, successor, event, request = null) =>
      write(() => audited(tenant, event, keys.rotate(tenant, retired, successor, request), false)),
    findRequest: async (tenant, kind, requestId) => read(() => keys.findRequest(tenant, kind, requestId)),
    delete: (tenant, kind, keyId, event, options) => write(() => audited(tenant, event, keys.delete(tenant, kind, keyId, options), null)),
    tombstoneRevision: async (tenant, keyId) => read(() => keys.tombstoneRevision(tenant, keyId)),
    async touch(uses) {
      await writeInParts(write, uses, () => 1, keys.touch);
    },
    audit: {
      append: (tenant, events) =>
        write(() => {
          for (const event of events) audit.add(tenant, event);
        }, events.length),
      list: (tenant, query) => readStep(() => audit.list(tenant, query)),
    },
    acceptSecrets: (secrets) => write(() => acceptSecrets(secrets)),
    ping: async () => ping(),
    async close() {
      stopExpiry();
      close();
    },
  };
}
