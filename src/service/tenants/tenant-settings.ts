import type { KeyRecord } from "../../core/key.ts";
import { type Tenant, tenantOfRecord, unchangedTenant } from "../../core/tenant.ts";

/**
 * The settings of tenants, as this process last saw them. Every call reads the current record of its tenant first (TenantDirectory), so the
 * settings that it reads here are not older than the call.
 */
export interface TenantSettings {
  /** An unknown tenant has the settings of the installation. */
  of(tenantId: string): Tenant;
  /** Applies the record of a tenant, unless a newer one is known. Returns the tenant of the newer of the two. */
  note(tenantId: string, record: KeyRecord): Tenant;
  /**
   * Returns the first revision of the tenant's record, which distinguishes it from others of the same name before or after it. Null if the
   * tenant is unknown.
   */
  firstRevisionOf(tenantId: string): number | null;
  /** See `AllTenantLimits`. */
  quotaSince(tenantId: string): number;
  forget(tenantId: string): void;
  /** All known tenants. */
  all(): Iterable<Tenant>;
}

export function createTenantSettings(): TenantSettings {
  const seen = new Map<string, Seen & { readonly quotaSince: number }>();
  let lastQuotaSince = 0;
  const unseen = unchangedTenant("");
  return {
    of: (tenantId) => seen.get(tenantId)?.tenant ?? unseen,
    note(tenantId, record) {
      const known = seen.get(tenantId);
      // The same record, nearly always: every call asks.
      if (known !== undefined && (known.record === record || isAsNew(known.record, record))) return known.tenant;
      const tenant = tenantOfRecord(record);
      const isSameQuota = known !== undefined && known.quotaSince > 0 && keepsQuota(known, { record, tenant });
      const quotaSince = tenant.maxKeys === null ? 0 : isSameQuota ? known.quotaSince : ++lastQuotaSince;
      seen.set(tenantId, { record, tenant, quotaSince });
      return tenant;
    },
    firstRevisionOf: (tenantId) => seen.get(tenantId)?.record.firstRevision ?? null,
    quotaSince: (tenantId) => seen.get(tenantId)?.quotaSince ?? 0,
    forget: (tenantId) => void seen.delete(tenantId),
    all: () => Array.from(seen.values(), ({ tenant }) => tenant),
  };
}

interface Seen {
  readonly record: KeyRecord;
  readonly tenant: Tenant;
}

/** Reports whether a tenant with a quota was without one at no revision in between, also at revisions that this process did not see. */
function keepsQuota(known: Seen, { record, tenant }: Seen): boolean {
  if (record.revision === known.record.revision + 1) return true;
  return tenant.quotaCount > 0 && tenant.quotaCount === known.tenant.quotaCount && record.firstRevision === known.record.firstRevision;
}

/** A tenant that was deleted and created again may have a lower revision than before. */
function isAsNew(known: KeyRecord, record: KeyRecord): boolean {
  return known.revision >= record.revision && known.createTimeMs >= record.createTimeMs;
}
