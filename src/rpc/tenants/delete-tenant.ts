import type { TenantsService } from "../../../gen/keywright/v2alpha1/tenants_service_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import { Failure } from "../../error/failure.ts";
import { deleteTenant as remove } from "../../service/tenants/delete-tenant.ts";
import { contextOf } from "../context.ts";
import { checkTenantId } from "./message.ts";
import type { TenantRpcOptions } from "./options.ts";

export function deleteTenant({ tenants }: TenantRpcOptions): Implementation<typeof TenantsService.method.adminDeleteTenant> {
  /** Tenants that are being deleted. Many keys take long, and calls that are repeated meanwhile would only add to the work. */
  const underWay = new Set<string>();
  return async ({ tenantId, force }, call) => {
    const id = checkTenantId("tenant_id", tenantId);
    if (underWay.has(id)) throw new Failure("CONCURRENT_CHANGE", { message: "another call is deleting the tenant; try again later" });
    underWay.add(id);
    try {
      await remove(tenants, contextOf(call).origin(), id, force ? call.signal : null);
    } finally {
      underWay.delete(id);
    }
    return {};
  };
}
