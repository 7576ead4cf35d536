import type { TenantService } from "../../service/tenants/change-tenant.ts";

export interface TenantRpcOptions {
  readonly tenants: TenantService;
  /** The key prefixes of the installation, in use and retired. */
  readonly usedPrefixes: readonly string[];
}
