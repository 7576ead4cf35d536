import { create } from "@bufbuild/protobuf";
import { TenantSchema } from "../../../gen/keywright/v2alpha1/tenant_pb.ts";
import type { TenantsService } from "../../../gen/keywright/v2alpha1/tenants_service_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import { invalidField } from "../../error/failure.ts";
import { createTenant as addTenant } from "../../service/tenants/change-tenant.ts";
import { contextOf } from "../context.ts";
import { attributesOf, checkTenantId, tenantToMessage } from "./message.ts";
import type { TenantRpcOptions } from "./options.ts";

export function createTenant({ tenants, usedPrefixes }: TenantRpcOptions): Implementation<typeof TenantsService.method.adminCreateTenant> {
  return async ({ tenantId, tenant = create(TenantSchema) }, call) => {
    checkTenantId("tenant_id", tenantId);
    if (tenant.tenantId !== "" && tenant.tenantId !== tenantId) throw invalidField("tenant.tenant_id", "must be empty or equal tenant_id");
    return tenantToMessage(await addTenant(tenants, contextOf(call).origin(), tenantId, attributesOf(tenant, usedPrefixes)));
  };
}
