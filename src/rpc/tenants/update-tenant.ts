import { TenantSchema } from "../../../gen/keywright/v2alpha1/tenant_pb.ts";
import type { TenantsService } from "../../../gen/keywright/v2alpha1/tenants_service_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import type { TenantAttributes } from "../../core/tenant.ts";
import { invalidField } from "../../error/failure.ts";
import { updateTenant as changeTenant, tenantAttributeFields } from "../../service/tenants/change-tenant.ts";
import { contextOf } from "../context.ts";
import { fieldsToWrite } from "../field-mask.ts";
import { refuseCeiling } from "../scope-ceiling.ts";
import { attributesOf, checkTenantId, tenantToMessage } from "./message.ts";
import type { TenantRpcOptions } from "./options.ts";

const writable = Object.values(tenantAttributeFields);

export function updateTenant({ tenants, usedPrefixes }: TenantRpcOptions): Implementation<typeof TenantsService.method.adminUpdateTenant> {
  return async ({ tenant, updateMask }, call) => {
    refuseCeiling(call);
    if (tenant === undefined || tenant.tenantId === "") throw invalidField("tenant.tenant_id", "must not be empty");
    checkTenantId("tenant.tenant_id", tenant.tenantId);
    const names = fieldsToWrite(tenant, updateMask, "update_mask", TenantSchema, writable);
    const all = Object.entries(attributesOf(tenant, usedPrefixes));
    const wanted = all.filter(([name]) => names.has(tenantAttributeFields[name as keyof TenantAttributes]));
    return tenantToMessage(await changeTenant(tenants, contextOf(call).origin(), tenant.tenantId, Object.fromEntries(wanted)));
  };
}
