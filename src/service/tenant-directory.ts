import type { VerifierCache } from "../cache/verifier-cache.ts";
import type { KeyRecord } from "../core/key.ts";
import { defaultTenant, type Tenant, tenantOfRecord, tenantRecordId, unchangedTenant } from "../core/tenant.ts";
import type { KeyStore } from "../ports/key-store.ts";
import type { TenantSettings } from "./tenant-settings.ts";

/** Finds tenants. What a host or a prefix leads to is a hint: the tenant's current record decides. */
export interface TenantDirectory {
  /**
   * The tenant as it is now, within the bounds of docs/guarantees.md; null if there is none with this id. A promise only if the process
   * does not know it.
   */
  current(tenantId: string): Tenant | null | Promise<Tenant | null>;
  /** False: no tenant has a host, so that the host of a call need not be looked at. */
  readonly hasHosts: boolean;
  tenantOfHost(host: string): string | undefined;
  /** By a prefix of issued keys, in use or retired. */
  tenantOfPrefix(prefix: string): string | undefined;
  /** Reads all tenants. Concurrent refreshes run one after the other. */
  refresh(): Promise<void>;
}

export interface TenantDirectoryOptions {
  readonly store: Pick<KeyStore, "list">;
  readonly cache: Pick<VerifierCache, "peek" | "reader">;
  readonly settings: TenantSettings;
  /** Whether other processes can change tenants. */
  readonly isShared: boolean;
}

interface Snapshot {
  /** The tenant `default` was changed. Until then it costs no look-up in the only process. */
  readonly hasDefault: boolean;
  readonly byHost: ReadonlyMap<string, string>;
  readonly byPrefix: ReadonlyMap<string, string>;
}

const tenantsPerRead = 1000;
const unchangedDefault = unchangedTenant(defaultTenant);

export function createTenantDirectory({ store, cache, settings, isShared }: TenantDirectoryOptions): TenantDirectory {
  let snapshot: Snapshot = { hasDefault: false, byHost: new Map(), byPrefix: new Map() };
  let last = Promise.resolve();

  const seen = (tenantId: string, record: KeyRecord | null): Tenant | null => {
    if (record === null) {
      settings.forget(tenantId);
      return tenantId === defaultTenant ? unchangedDefault : null;
    }
    const tenant = tenantOfRecord(record);
    settings.note(tenant);
    return tenant;
  };

  async function readAll(): Promise<void> {
    const tenants = await listTenants(store);
    for (const tenant of tenants) settings.note(tenant);
    snapshot = snapshotOf(tenants);
  }

  return {
    current(tenantId) {
      if (tenantId === defaultTenant && !isShared && !snapshot.hasDefault) return unchangedDefault;
      const recordId = tenantRecordId(tenantId);
      const entry = cache.peek(defaultTenant, recordId);
      if (entry !== undefined) return seen(tenantId, entry.record);
      return cache.reader.read(defaultTenant, recordId, "none").then(({ record }) => seen(tenantId, record));
    },

    get hasHosts() {
      return snapshot.byHost.size > 0;
    },

    tenantOfHost: (host) => snapshot.byHost.get(host),
    tenantOfPrefix: (prefix) => snapshot.byPrefix.get(prefix),

    refresh() {
      const next = last.then(readAll);
      last = next.catch(() => {});
      return next;
    },
  };
}

/** How soon a process knows the hosts and prefixes that another one gave to a tenant. What is taken away holds sooner. */
const refreshMs = 1000;

/** Reads the tenants, and again from time to time if other processes can change them. */
export async function startDirectory(directory: TenantDirectory, isShared: boolean, closing: AsyncDisposableStack): Promise<void> {
  await directory.refresh();
  if (!isShared) return;
  // What fails is tried again the next time.
  const timer = setInterval(() => void directory.refresh().catch(() => {}), refreshMs);
  closing.defer(() => clearInterval(timer));
}

async function listTenants(store: Pick<KeyStore, "list">): Promise<Tenant[]> {
  const tenants: Tenant[] = [];
  for (let afterKeyId: string | null = ""; afterKeyId !== null; ) {
    const part = await store.list(defaultTenant, { kind: "tenant", nowMs: 0, afterKeyId, limit: tenantsPerRead });
    tenants.push(...part.records.map(tenantOfRecord));
    afterKeyId = part.lastKeyId;
  }
  return tenants;
}

/** If two tenants were given one host or prefix at the same moment, the older tenant has it. */
function snapshotOf(tenants: readonly Tenant[]): Snapshot {
  const byHost = new Map<string, string>();
  const byPrefix = new Map<string, string>();
  const newestFirst = tenants.toSorted((a, b) => (b.createTimeMs ?? 0) - (a.createTimeMs ?? 0));
  for (const { tenantId, hosts, keyPrefix, retiredPrefixes } of newestFirst) {
    for (const host of hosts) byHost.set(host, tenantId);
    for (const prefix of [...retiredPrefixes, keyPrefix]) if (prefix !== "") byPrefix.set(prefix, tenantId);
  }
  return { hasDefault: tenants.some(({ tenantId }) => tenantId === defaultTenant), byHost, byPrefix };
}
