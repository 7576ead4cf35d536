import { type Tenant, unchangedTenant } from "../core/tenant.ts";

/**
 * The settings of tenants, as this process saw them last. Every call asks for the current record of its tenant first (TenantDirectory), so
 * what a call reads here is not older than the call.
 */
export interface TenantSettings {
  /** A tenant that was not seen has the settings of the installation. */
  of(tenantId: string): Tenant;
  note(tenant: Tenant): void;
  forget(tenantId: string): void;
  /** All that were seen. */
  all(): Iterable<Tenant>;
}

export function createTenantSettings(): TenantSettings {
  const seen = new Map<string, Tenant>();
  const unseen = unchangedTenant("");
  return {
    of: (tenantId) => seen.get(tenantId) ?? unseen,
    note: (tenant) => void seen.set(tenant.tenantId, tenant),
    forget: (tenantId) => void seen.delete(tenantId),
    all: () => seen.values(),
  };
}
