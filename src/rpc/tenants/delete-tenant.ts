import type { TenantsService } from "../../../gen/keywright/v2alpha1/tenants_service_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import { deleteTenant as remove } from "../../service/delete-tenant.ts";
import { contextOf } from "../context.ts";
import { checkTenantId } from "./message.ts";
import type { TenantRpcOptions } from "./options.ts";

export function deleteTenant({ tenants }: TenantRpcOptions): Implementation<typeof TenantsService.method.adminDeleteTenant> {
  return async ({ tenantId, force }, call) => {
    await remove(tenants, contextOf(call).origin(), checkTenantId("tenant_id", tenantId), force);
    return {};
  };
}
