import type { TrustedCache } from "../../cache/trusted-cache.ts";
import type { KeyRecord } from "../../core/key.ts";
import {
  defaultTenant,
  isTenantId,
  type Tenant,
  tenantIdOfRecordId,
  tenantOfRecord,
  tenantRecordId,
  unchangedTenant,
} from "../../core/tenant.ts";
import type { KeyStore } from "../../ports/key-store.ts";
import { partsOf } from "../list-records.ts";
import { oneAfterTheOther } from "../one-after-the-other.ts";
import { createReadPace } from "./read-pace.ts";
import { createTenantIndex } from "./tenant-index.ts";
import type { TenantSettings } from "./tenant-settings.ts";

/** Finds tenants. A tenant found by host or prefix is a hint; its current record decides. */
export interface TenantDirectory {
  /**
   * Returns the current tenant, within the bounds of docs/guarantees.md; null if no tenant has this id. Returns a promise only if the
   * process does not know it.
   */
  current(tenantId: string): Tenant | null | Promise<Tenant | null>;
  /** False if no tenant has a host, so that the host of a call need not be checked. */
  readonly hasHosts: boolean;
  tenantOfHost(host: string): string | undefined;
  /** Finds a tenant by a prefix of issued keys, in use or retired. */
  tenantOfPrefix(prefix: string): string | undefined;
  /** Applies a change of this process; null if the tenant was deleted. */
  note(tenantId: string, record: KeyRecord | null): void;
  /** Reads all tenants. Concurrent refreshes run one after the other. */
  refresh(): Promise<void>;
  /**
   * Reads all tenants if changes may have been missed. If this fails, it is tried again the next time. Call it every 250 ms: while the
   * process may not hear of changes, every fourth call reads them, but not before ten times the duration of the last read has passed.
   */
  catchUp(): Promise<void>;
}

export interface TenantDirectoryOptions {
  readonly store: Pick<KeyStore, "list">;
  readonly cache: Pick<TrustedCache, "peek" | "reader" | "follow" | "trust">;
  readonly settings: TenantSettings;
  readonly monotonicMs: () => number;
}

const tenantsPerRead = 1000;
const unchangedDefault = unchangedTenant(defaultTenant);

export function createTenantDirectory({ store, cache, settings, monotonicMs }: TenantDirectoryOptions): TenantDirectory {
  let index = createTenantIndex();
  /** Changes noted since the refresh in progress started, because the refresh may have read older records. Null if none is in progress. */
  let noted: Map<string, KeyRecord | null> | null = null;
  let isBehind = true;

  function note(tenantId: string, record: KeyRecord | null): void {
    see(settings, tenantId, record);
    index.note(tenantId, record);
    noted?.set(tenantId, record);
  }

  async function readAll(): Promise<void> {
    isBehind = false;
    const meanwhile = new Map<string, KeyRecord | null>();
    noted = meanwhile;
    try {
      const fresh = indexOf(await listTenants(store), settings);
      for (const [tenantId, record] of meanwhile) fresh.note(tenantId, record);
      index = fresh;
    } catch (error) {
      isBehind = true;
      throw error;
    } finally {
      noted = null;
    }
  }

  const pace = createReadPace(cache.trust, monotonicMs);
  const refresh = oneAfterTheOther(() => pace.read(readAll));
  const catchUp = async () => (pace.isDue() || isBehind ? refresh().catch(() => {}) : undefined);

  cache.follow({
    changed(tenant, keyId) {
      const tenantId = tenant === defaultTenant ? tenantIdOfRecordId(keyId) : null;
      if (tenantId === null) return;
      Promise.resolve(cache.reader.read(tenant, keyId, "none")).then(
        ({ record }) => note(tenantId, record),
        () => {
          isBehind = true;
        },
      );
    },
    doubted() {
      isBehind = true;
      void catchUp();
    },
  });

  return {
    current(tenantId) {
      // A process that may miss messages does not hear of the first change of `default`, so that it has to ask.
      if (tenantId === defaultTenant && !index.has(defaultTenant) && cache.trust.localUse() === "first") return unchangedDefault;
      const recordId = index.recordIdOf(tenantId) ?? recordIdOf(tenantId);
      if (recordId === null) return null;
      const entry = cache.peek(defaultTenant, recordId);
      if (entry !== undefined) return see(settings, tenantId, entry.record);
      const answer = cache.reader.read(defaultTenant, recordId, "none");
      return answer instanceof Promise
        ? answer.then(({ record }) => see(settings, tenantId, record))
        : see(settings, tenantId, answer.record);
    },

    get hasHosts() {
      return index.hosts.size > 0;
    },

    tenantOfHost: (host) => index.hosts.get(host),
    tenantOfPrefix: (prefix) => index.prefixes.get(prefix),
    note,
    refresh,
    catchUp,
  };
}

/** Applies the record that was read of a tenant, and returns the tenant; null if there is none. */
function see(settings: TenantSettings, tenantId: string, record: KeyRecord | null): Tenant | null {
  if (record === null) {
    settings.forget(tenantId);
    return tenantId === defaultTenant ? unchangedDefault : null;
  }
  return settings.note(tenantId, record);
}

/** Null if it cannot be the id of a tenant: another text could name the record of one without being its id. */
function recordIdOf(tenantId: string): string | null {
  return isTenantId(tenantId) ? tenantRecordId(tenantId) : null;
}

function indexOf(records: readonly KeyRecord[], settings: TenantSettings): ReturnType<typeof createTenantIndex> {
  const index = createTenantIndex();
  for (const record of records) {
    const { tenantId } = tenantOfRecord(record);
    settings.note(tenantId, record);
    index.note(tenantId, record);
  }
  return index;
}

async function listTenants(store: Pick<KeyStore, "list">): Promise<KeyRecord[]> {
  const records: KeyRecord[] = [];
  for await (const part of partsOf(store, defaultTenant, "tenant", tenantsPerRead)) records.push(...part);
  return records;
}
