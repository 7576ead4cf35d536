import type { KeyRecord } from "../core/key.ts";
import { type Tenant, tenantOfRecord, unchangedTenant } from "../core/tenant.ts";

/**
 * The settings of tenants, as this process saw them last. Every call asks for the current record of its tenant first (TenantDirectory), so
 * what a call reads here is not older than the call.
 */
export interface TenantSettings {
  /** A tenant that was not seen has the settings of the installation. */
  of(tenantId: string): Tenant;
  /** An older record than the one that was seen changes nothing. */
  note(record: KeyRecord): void;
  forget(tenantId: string): void;
  /** All that were seen. */
  all(): Iterable<Tenant>;
}

export function createTenantSettings(): TenantSettings {
  const seen = new Map<string, { readonly tenant: Tenant; readonly revision: number }>();
  const unseen = unchangedTenant("");
  return {
    of: (tenantId) => seen.get(tenantId)?.tenant ?? unseen,
    note(record) {
      const tenant = tenantOfRecord(record);
      const { revision } = record;
      if ((seen.get(tenant.tenantId)?.revision ?? 0) < revision) seen.set(tenant.tenantId, { tenant, revision });
    },
    forget: (tenantId) => void seen.delete(tenantId),
    all: () => Array.from(seen.values(), ({ tenant }) => tenant),
  };
}
