import type { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Implementation } from "../call/methods.ts";
import { defaultTenant } from "../core/tenant.ts";
import { Failure } from "../error/failure.ts";
import type { GuessLimit } from "../limit/guess-limit.ts";
import type { KeyService } from "../service/key-service.ts";
import { selfRevokeKey } from "../service/revoke.ts";
import { reasonFromMessage } from "./message.ts";
import { originOf } from "./origin.ts";
import { setRetryAfter } from "./rate-limit-headers.ts";

export function selfRevokeApiKey(service: KeyService, limit: GuessLimit): Implementation<typeof ApiKeysService.method.revokeApiKey> {
  return async ({ credential, reason }, call) => {
    const retryAfterMs = limit.take(call.clientAddress);
    if (retryAfterMs !== null) {
      setRetryAfter(call, retryAfterMs);
      throw new Failure("TOO_MANY_CALLS");
    }
    await selfRevokeKey(service, defaultTenant, originOf(call), credential, { reason: reasonFromMessage(reason), description: "" });
    return {};
  };
}
