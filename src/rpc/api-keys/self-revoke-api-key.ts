import type { ApiKeysService } from "../../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import type { KeyService } from "../../service/key-service.ts";
import { selfRevokeKey } from "../../service/revoke.ts";
import { contextOf } from "../context.ts";
import { reasonFromMessage } from "../message.ts";
import { limitsOfCall, type SelfServiceOptions, tenantOfCredential } from "../self-service.ts";

export function selfRevokeApiKey(
  service: KeyService,
  options: SelfServiceOptions,
): Implementation<typeof ApiKeysService.method.revokeApiKey> {
  return async ({ credential, reason }, call) => {
    const revocation = { reason: reasonFromMessage(reason), description: "" };
    const tenant = await tenantOfCredential(options, call, credential);
    await selfRevokeKey(service, tenant, contextOf(call).origin(), { credential, revocation }, limitsOfCall(options, call));
    return {};
  };
}
