import type { TenantsService } from "../../../gen/keywright/v2alpha1/tenants_service_pb.ts";
import type { Implementations } from "../../call/methods.ts";
import { createTenant } from "./create-tenant.ts";
import { deleteTenant } from "./delete-tenant.ts";
import { getTenant } from "./get-tenant.ts";
import { listTenants } from "./list-tenants.ts";
import type { TenantRpcOptions } from "./options.ts";
import { suspendTenant } from "./suspend-tenant.ts";
import { updateTenant } from "./update-tenant.ts";

/** The method implementations of TenantsService, by method. */
export function tenantImplementationsOf(options: TenantRpcOptions): Implementations<typeof TenantsService> {
  return {
    adminCreateTenant: createTenant(options),
    adminGetTenant: getTenant(options),
    adminListTenants: listTenants(options),
    adminUpdateTenant: updateTenant(options),
    adminSuspendTenant: suspendTenant(options, true),
    adminResumeTenant: suspendTenant(options, false),
    adminDeleteTenant: deleteTenant(options),
  };
}
