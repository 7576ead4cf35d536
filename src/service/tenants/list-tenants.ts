import { defaultTenant, type Tenant, tenantOfRecord, tenantRecordId, unchangedTenant } from "../../core/tenant.ts";
import { Failure } from "../../error/failure.ts";
import type { KeyService } from "../key-service.ts";
import { listRecords, type RecordPageRequest } from "../list-records.ts";

/** Reads a tenant from the store. Rejects with TENANT_NOT_FOUND. */
export async function getTenant({ store }: Pick<KeyService, "store">, tenantId: string): Promise<Tenant> {
  const record = await store.get(defaultTenant, tenantRecordId(tenantId));
  if (record !== null) return tenantOfRecord(record);
  if (tenantId === defaultTenant) return unchangedTenant(tenantId);
  throw new Failure("TENANT_NOT_FOUND");
}

export interface TenantPage {
  readonly tenants: readonly Tenant[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

const scope = { tenant: defaultTenant, kind: "tenant", filter: {} } as const;

export async function listTenants(
  service: Pick<KeyService, "store" | "pageTokens" | "clock">,
  page: RecordPageRequest,
): Promise<TenantPage> {
  const { records, nextPageToken } = await listRecords(service, scope, page);
  return { tenants: records.map(tenantOfRecord), nextPageToken };
}
