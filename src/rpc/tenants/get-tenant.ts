import type { TenantsService } from "../../../gen/keywright/v2alpha1/tenants_service_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import { getTenant as read } from "../../service/tenants/list-tenants.ts";
import { checkTenantId, tenantToMessage } from "./message.ts";
import type { TenantRpcOptions } from "./options.ts";

export function getTenant({ tenants }: TenantRpcOptions): Implementation<typeof TenantsService.method.adminGetTenant> {
  return async ({ tenantId }) => tenantToMessage(await read(tenants.keys, checkTenantId("tenant_id", tenantId)));
}
