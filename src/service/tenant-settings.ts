import type { KeyRecord } from "../core/key.ts";
import { type Tenant, tenantOfRecord, unchangedTenant } from "../core/tenant.ts";

/**
 * The settings of tenants, as this process last saw them. Every call reads the current record of its tenant first (TenantDirectory), so the
 * settings that it reads here are not older than the call.
 */
export interface TenantSettings {
  /** An unknown tenant has the settings of the installation. */
  of(tenantId: string): Tenant;
  /** A record older than the known one changes nothing. */
  note(record: KeyRecord): void;
  forget(tenantId: string): void;
  /** All known tenants. */
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
