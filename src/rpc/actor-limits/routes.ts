import type { ActorLimitsService } from "../../../gen/keywright/v2alpha1/actor_limits_service_pb.ts";
import type { Implementations } from "../../call/methods.ts";
import type { TenantService } from "../../service/tenants/change-tenant.ts";
import { listActorLimits } from "./list-actor-limits.ts";
import { removeActorLimit } from "./remove-actor-limit.ts";
import { setActorLimit } from "./set-actor-limit.ts";

/** The method implementations of ActorLimitsService, by method. */
export function actorLimitImplementationsOf(service: TenantService): Implementations<typeof ActorLimitsService> {
  return {
    adminSetActorLimit: setActorLimit(service),
    adminRemoveActorLimit: removeActorLimit(service),
    adminListActorLimits: listActorLimits(service),
  };
}
