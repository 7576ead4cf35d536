import type { TenantsService } from "../../../gen/keywright/v2alpha1/tenants_service_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import { setSuspended } from "../../service/tenants/change-tenant.ts";
import { contextOf } from "../context.ts";
import { refuseCeiling } from "../scope-ceiling.ts";
import { checkTenantId, tenantToMessage } from "./message.ts";
import type { TenantRpcOptions } from "./options.ts";

/** Implements AdminSuspendTenant or AdminResumeTenant. Resuming makes keys of any scopes usable, like enabling a key. */
export function suspendTenant(
  { tenants }: TenantRpcOptions,
  suspended: boolean,
): Implementation<typeof TenantsService.method.adminSuspendTenant | typeof TenantsService.method.adminResumeTenant> {
  return async ({ tenantId }, call) => {
    if (!suspended) refuseCeiling(call);
    return tenantToMessage(await setSuspended(tenants, contextOf(call).origin(), checkTenantId("tenant_id", tenantId), suspended));
  };
}
