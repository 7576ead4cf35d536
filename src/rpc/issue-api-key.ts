import type { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Implementation } from "../call/methods.ts";
import { checkMetadata } from "../core/metadata.ts";
import { defaultTenant } from "../core/tenant.ts";
import { issueKey } from "../service/issue.ts";
import type { KeyService } from "../service/key-service.ts";
import { cidrsFromMessage, durationToMs, keyToMessage, rateLimitPolicyFromMessage, visibilityFromMessage } from "./message.ts";

export function issueApiKey(service: KeyService): Implementation<typeof ApiKeysService.method.adminIssueApiKey> {
  return async (request) => {
    const { record, secret } = await issueKey(service, defaultTenant, {
      attributes: {
        name: request.name,
        scopes: request.scopes,
        metadata: request.metadata === undefined ? null : checkMetadata(request.metadata),
        rateLimitPolicy: rateLimitPolicyFromMessage(request.rateLimitPolicy),
        allowedCidrs: cidrsFromMessage(request.ipRestriction),
      },
      actorId: request.actorId,
      visibility: visibilityFromMessage(request.visibility),
      ttlMs: durationToMs(request.ttl),
      requestId: request.requestId || null,
    });
    return { issuedApiKey: keyToMessage(record, service.clock()), secret: secret ?? "" };
  };
}
