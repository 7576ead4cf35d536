import type { ActorLimitsService } from "../../../gen/keywright/v2alpha1/actor_limits_service_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import { removeActorLimit as remove } from "../../service/change-actor-limit.ts";
import type { TenantService } from "../../service/tenants/change-tenant.ts";
import { contextOf } from "../context.ts";
import { refuseCeiling } from "../scope-ceiling.ts";

export function removeActorLimit({ keys }: TenantService): Implementation<typeof ActorLimitsService.method.adminRemoveActorLimit> {
  return async ({ actorId }, call) => {
    refuseCeiling(call);
    const { tenant, origin } = contextOf(call);
    await remove(keys, tenant, origin(), actorId);
    return {};
  };
}
