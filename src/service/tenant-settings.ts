import type { KeyRecord } from "../core/key.ts";
import { type Tenant, tenantOfRecord, unchangedTenant } from "../core/tenant.ts";

/**
 * The settings of tenants, as this process saw them last. Every call asks for the current record of its tenant first (TenantDirectory), so
 * what a call reads here is not older than the call.
 */
export interface TenantSettings {
  /** A tenant that was not seen has the settings of the installation. */
  of(tenantId: string): Tenant;
  /** Takes over the record of a tenant, unless a newer one was seen. Returns the tenant by the newer of the two. */
  note(tenantId: string, record: KeyRecord): Tenant;
  forget(tenantId: string): void;
  /** All that were seen. */
  all(): Iterable<Tenant>;
}

export function createTenantSettings(): TenantSettings {
  const seen = new Map<string, { readonly record: KeyRecord; readonly tenant: Tenant }>();
  const unseen = unchangedTenant("");
  return {
    of: (tenantId) => seen.get(tenantId)?.tenant ?? unseen,
    note(tenantId, record) {
      const known = seen.get(tenantId);
      // The same record, nearly always: every call asks.
      if (known !== undefined && (known.record === record || known.record.revision >= record.revision)) return known.tenant;
      const tenant = tenantOfRecord(record);
      seen.set(tenantId, { record, tenant });
      return tenant;
    },
    forget: (tenantId) => void seen.delete(tenantId),
    all: () => Array.from(seen.values(), ({ tenant }) => tenant),
  };
}
