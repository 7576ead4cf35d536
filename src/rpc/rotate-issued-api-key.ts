import type { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { type RotateIssuedApiKeyRequest, RotateIssuedApiKeyRequestSchema } from "../../gen/keywright/v2alpha1/issued_api_key_pb.ts";
import { KeyVisibility } from "../../gen/keywright/v2alpha1/key_policy_pb.ts";
import type { Implementation } from "../call/methods.ts";
import { checkMetadata } from "../core/metadata.ts";
import { scopeSet } from "../core/scopes.ts";
import type { KeyService } from "../service/key-service.ts";
import { type RotateRequest, rotateKey } from "../service/rotate.ts";
import { contextOf } from "./context.ts";
import { fieldsToWrite } from "./field-mask.ts";
import { cidrsFromMessage, keyToMessage, rateLimitPolicyFromMessage, visibilityFromMessage } from "./message.ts";

const overridable = ["name", "scopes", "metadata", "rate_limit_policy", "ip_restriction", "visibility"] as const;

export function rotateIssuedApiKey(service: KeyService): Implementation<typeof ApiKeysService.method.adminRotateIssuedApiKey> {
  return async (request, call) => {
    const { tenant, origin } = contextOf(call);
    const rotated = await rotateKey(service, tenant, origin(), {
      keyId: request.keyId,
      overrides: overridesOf(request),
    });
    const nowMs = service.clock();
    return {
      issuedApiKey: keyToMessage(rotated.successor, nowMs),
      oldIssuedApiKey: keyToMessage(rotated.retired, nowMs),
      secret: rotated.secret,
    };
  };
}

/** What the new key does not inherit: see fieldsToWrite. */
function overridesOf(request: RotateIssuedApiKeyRequest): RotateRequest["overrides"] {
  const names = fieldsToWrite(request, request.overrideMask, "override_mask", RotateIssuedApiKeyRequestSchema, overridable);
  return {
    ...(names.has("name") && { name: request.name ?? "" }),
    ...(names.has("scopes") && { scopes: scopeSet(request.scopes) }),
    ...(names.has("metadata") && { metadata: request.metadata === undefined ? null : checkMetadata(request.metadata) }),
    ...(names.has("rate_limit_policy") && { rateLimitPolicy: rateLimitPolicyFromMessage(request.rateLimitPolicy) }),
    ...(names.has("ip_restriction") && { allowedCidrs: cidrsFromMessage(request.ipRestriction) }),
    ...(names.has("visibility") && { visibility: visibilityFromMessage(request.visibility ?? KeyVisibility.UNSPECIFIED) }),
  };
}
