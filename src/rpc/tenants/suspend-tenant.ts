import type { TenantsService } from "../../../gen/keywright/v2alpha1/tenants_service_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import { setSuspended } from "../../service/tenants/change-tenant.ts";
import { contextOf } from "../context.ts";
import { checkTenantId, tenantToMessage } from "./message.ts";
import type { TenantRpcOptions } from "./options.ts";

/** Implements AdminSuspendTenant or AdminResumeTenant. */
export function suspendTenant(
  { tenants }: TenantRpcOptions,
  suspended: boolean,
): Implementation<typeof TenantsService.method.adminSuspendTenant | typeof TenantsService.method.adminResumeTenant> {
  return async ({ tenantId }, call) =>
    tenantToMessage(await setSuspended(tenants, contextOf(call).origin(), checkTenantId("tenant_id", tenantId), suspended));
}
