import type { ImportApiKeyRequest } from "../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import type { IssueApiKeyRequest } from "../../gen/keywright/v2alpha1/issued_api_key_pb.ts";
import { checkMetadata } from "../core/metadata.ts";
import type { NewKeyRequest } from "../service/new-key.ts";
import { cidrsFromMessage, durationToMs, rateLimitPolicyFromMessage, visibilityFromMessage } from "./message.ts";

/** What issuing and importing ask for alike. */
export function newKeyFromMessage(request: IssueApiKeyRequest | ImportApiKeyRequest): NewKeyRequest {
  return {
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
  };
}
