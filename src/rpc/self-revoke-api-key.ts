import type { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Call } from "../call/call.ts";
import type { Implementation } from "../call/methods.ts";
import { defaultTenant } from "../core/tenant.ts";
import { Failure } from "../error/failure.ts";
import type { SelfRevokeLimits } from "../limit/self-revoke.ts";
import type { KeyService } from "../service/key-service.ts";
import { selfRevokeKey } from "../service/revoke.ts";
import { reasonFromMessage } from "./message.ts";
import { originOf } from "./origin.ts";
import { setRetryAfter } from "./rate-limit-headers.ts";

export function selfRevokeApiKey(service: KeyService, limits: SelfRevokeLimits): Implementation<typeof ApiKeysService.method.revokeApiKey> {
  return async ({ credential, reason }, call) => {
    refuseIfLimited(call, limits.byAddress.take(call.clientAddress), "too many calls from this address; try again later");
    const revocation = { reason: reasonFromMessage(reason), description: "" };
    await selfRevokeKey(service, defaultTenant, originOf(call), credential, revocation, (keyId) =>
      refuseIfLimited(call, limits.takeRepeat(keyId), "the compromise of this key is known and was reported too often; try again later"),
    );
    return {};
  };
}

function refuseIfLimited(call: Call, retryAfterMs: number | null, message: string): void {
  if (retryAfterMs === null) return;
  setRetryAfter(call, retryAfterMs);
  throw new Failure("TOO_MANY_CALLS", { message });
}
