import type { ActorLimitsService } from "../../../gen/keywright/v2alpha1/actor_limits_service_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import { setActorLimit as set } from "../../service/change-actor-limit.ts";
import type { TenantService } from "../../service/tenants/change-tenant.ts";
import { contextOf } from "../context.ts";
import { refuseCeiling } from "../scope-ceiling.ts";
import { actorLimitToMessage, enforcedPolicy } from "./message.ts";

export function setActorLimit(service: TenantService): Implementation<typeof ActorLimitsService.method.adminSetActorLimit> {
  return async ({ actorId, rateLimitPolicy }, call) => {
    refuseCeiling(call);
    const policy = enforcedPolicy(rateLimitPolicy, "rate_limit_policy");
    const { tenant, origin } = contextOf(call);
    return actorLimitToMessage(await set(service, tenant, origin(), actorId, policy));
  };
}
