import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { HoldersService } from "../../../gen/keywright/v2alpha1/holders_service_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import { parseAddress } from "../../core/address.ts";
import type { Inspection, SelfInspect } from "../../service/self-inspect.ts";
import { rateLimitPolicyToMessage, statusToMessageAt, timeToMessage, visibilityToMessage } from "../message.ts";
import { refuseFor } from "../rate-limit-headers.ts";
import { limitsOfCall, refuseSuspended, type SelfServiceOptions, tenantOfCredential } from "../self-service.ts";

export interface SelfInspectRpcOptions extends SelfServiceOptions {
  readonly inspect: SelfInspect;
}

export function selfInspect(options: SelfInspectRpcOptions): Implementation<typeof HoldersService.method.selfInspect> {
  return async ({ credential }, call) => {
    const { takeGuess } = limitsOfCall(options, call);
    // Counted separately from self-revocation, so that a thief of a key cannot prevent its revocation by inspecting it.
    const takeUse = (keyId: string) => refuseFor(call, options.limits.takeLook(keyId), "too many calls with this key; try again later");
    const tenant = await tenantOfCredential(options, call, credential);
    const inspection = await options.inspect(tenant, credential, parseAddress(call.clientAddress), { takeGuess, takeUse });
    await refuseSuspended(options, tenant);
    return inspectionToMessage(inspection);
  };
}

function inspectionToMessage({ record, isValid, nowMs, limit }: Inspection) {
  const state = { status: statusToMessageAt(record, nowMs), disabled: record.disabled, visibility: visibilityToMessage[record.visibility] };
  if (record.visibility === "public") return state;
  const identity = {
    ...state,
    keyId: record.keyId,
    name: record.name,
    expireTime: timeToMessage(record.expireTimeMs),
    superseded: record.supersededBy !== null,
  };
  if (!isValid) return identity;
  return {
    ...identity,
    scopes: [...record.scopes],
    rateLimitPolicy: rateLimitPolicyToMessage(record.rateLimitPolicy),
    rateLimitRemaining: limit?.remaining,
    rateLimitResetTime: limit === null ? undefined : timestampFromMs(limit.resetTimeMs),
  };
}
