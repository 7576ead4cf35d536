import type { ActorLimitsService } from "../../../gen/keywright/v2alpha1/actor_limits_service_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import { listActorLimits as list } from "../../service/list-actor-limits.ts";
import type { TenantService } from "../../service/tenants/change-tenant.ts";
import { contextOf } from "../context.ts";
import { recordPageBounds } from "../list-request.ts";
import { actorLimitToMessage } from "./message.ts";

export function listActorLimits({ keys }: TenantService): Implementation<typeof ActorLimitsService.method.adminListActorLimits> {
  return async ({ actorId, pageSize, pageToken }, call) => {
    const { limits, nextPageToken } = await list(keys, contextOf(call).tenant, {
      actorId,
      pageSize,
      pageToken,
      ...recordPageBounds(call),
    });
    return { actorLimits: limits.map(actorLimitToMessage), nextPageToken };
  };
}
