import type { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Implementation } from "../call/methods.ts";
import { defaultTenant } from "../core/tenant.ts";
import type { KeyService } from "../service/key-service.ts";
import { selfRevokeKey } from "../service/revoke.ts";
import { reasonFromMessage } from "./message.ts";
import { originOf } from "./origin.ts";

export function selfRevokeApiKey(service: KeyService): Implementation<typeof ApiKeysService.method.revokeApiKey> {
  return async ({ credential, reason }, call) => {
    await selfRevokeKey(service, defaultTenant, originOf(call), credential, { reason: reasonFromMessage(reason), description: "" });
    return {};
  };
}
