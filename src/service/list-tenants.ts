import { defaultTenant, type Tenant, tenantOfRecord, tenantRecordId, unchangedTenant } from "../core/tenant.ts";
import { Failure } from "../error/failure.ts";
import type { KeyService } from "./key-service.ts";
import { pageLimit } from "./list.ts";

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
  { store, pageTokens, clock }: Pick<KeyService, "store" | "pageTokens" | "clock">,
  pageSize: number,
  pageToken: string,
): Promise<TenantPage> {
  const limit = pageLimit(pageSize);
  const nowMs = clock();
  let afterKeyId: string | null = pageToken === "" ? "" : pageTokens.open(scope, pageToken, nowMs);
  const tenants: Tenant[] = [];
  while (afterKeyId !== null && tenants.length < limit) {
    const part = await store.list(defaultTenant, { kind: "tenant", nowMs, afterKeyId, limit: limit - tenants.length });
    tenants.push(...part.records.map(tenantOfRecord));
    afterKeyId = part.lastKeyId;
  }
  return { tenants, nextPageToken: afterKeyId === null ? "" : pageTokens.seal(scope, afterKeyId) };
}
