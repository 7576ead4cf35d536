import type { KeyRecord } from "../../core/key.ts";
import { prefixesOf, type Tenant, tenantOfRecord } from "../../core/tenant.ts";

/** The known tenants, by host and by prefix. */
export interface TenantIndex {
  readonly hosts: ReadonlyMap<string, string>;
  readonly prefixes: ReadonlyMap<string, string>;
  has(tenantId: string): boolean;
  /** The id of the record of a tenant that was read. */
  recordIdOf(tenantId: string): string | undefined;
  /** Applies a record, or null if the tenant was deleted. A record older than the known one changes nothing. */
  note(tenantId: string, record: KeyRecord | null): void;
}

interface Entry {
  readonly tenant: Tenant;
  readonly recordId: string;
  readonly revision: number;
}

export function createTenantIndex(): TenantIndex {
  const entries = new Map<string, Entry>();
  const hosts = new Map<string, string>();
  const prefixes = new Map<string, string>();

  function remove({ tenant }: Entry): void {
    // A host that was given to another tenant since then belongs to that tenant.
    for (const host of tenant.hosts) if (hosts.get(host) === tenant.tenantId) hosts.delete(host);
    for (const prefix of prefixesOf(tenant)) if (prefixes.get(prefix) === tenant.tenantId) prefixes.delete(prefix);
    entries.delete(tenant.tenantId);
  }

  return {
    hosts,
    prefixes,
    has: (tenantId) => entries.has(tenantId),
    recordIdOf: (tenantId) => entries.get(tenantId)?.recordId,
    note(tenantId, record) {
      const known = entries.get(tenantId);
      if (known !== undefined && record !== null && record.revision <= known.revision) return;
      if (known !== undefined) remove(known);
      if (record === null) return;
      const tenant = tenantOfRecord(record);
      entries.set(tenantId, { tenant, recordId: record.keyId, revision: record.revision });
      for (const host of tenant.hosts) hosts.set(host, tenantId);
      for (const prefix of prefixesOf(tenant)) prefixes.set(prefix, tenantId);
    },
  };
}
