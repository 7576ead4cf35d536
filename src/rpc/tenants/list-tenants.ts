import type { TenantsService } from "../../../gen/keywright/v2alpha1/tenants_service_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import { listTenants as list } from "../../service/tenants/list-tenants.ts";
import { recordPageBounds } from "../list-request.ts";
import { tenantToMessage } from "./message.ts";
import type { TenantRpcOptions } from "./options.ts";

export function listTenants({ tenants }: TenantRpcOptions): Implementation<typeof TenantsService.method.adminListTenants> {
  return async ({ pageSize, pageToken }, call) => {
    const page = await list(tenants.keys, { pageSize, pageToken, ...recordPageBounds(call) });
    return { tenants: page.tenants.map(tenantToMessage), nextPageToken: page.nextPageToken };
  };
}
