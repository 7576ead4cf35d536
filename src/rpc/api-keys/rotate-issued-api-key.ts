import type { ApiKeysService } from "../../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { type RotateIssuedApiKeyRequest, RotateIssuedApiKeyRequestSchema } from "../../../gen/keywright/v2alpha1/issued_api_key_pb.ts";
import { KeyVisibility } from "../../../gen/keywright/v2alpha1/key_policy_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import type { KeyOverrides } from "../../core/key.ts";
import { overridableFields } from "../../core/key-fields.ts";
import type { KeyService } from "../../service/key-service.ts";
import { rotateKey } from "../../service/rotate.ts";
import { attributesNamed } from "../attributes.ts";
import { contextOf } from "../context.ts";
import { fieldsToWrite } from "../field-mask.ts";
import { durationToMs, keyToMessage, visibilityFromMessage } from "../message.ts";
import { ceilingOf, checkRotation } from "../scope-ceiling.ts";

const overridable = Object.values(overridableFields);

/** In JSON, members that are present override, even if they are empty. */
export const overridesPresent = { field: RotateIssuedApiKeyRequestSchema.field.overrideMask, names: overridable };

export function rotateIssuedApiKey(service: KeyService): Implementation<typeof ApiKeysService.method.adminRotateIssuedApiKey> {
  return async (request, call) => {
    const { tenant, origin } = contextOf(call);
    const overrides = overridesOf(request);
    const rotated = await rotateKey(service, tenant, origin(), {
      keyId: request.keyId,
      overrides,
      graceMs: durationToMs(request.gracePeriod) ?? 0,
      ttlMs: durationToMs(request.ttl),
      requestId: request.requestId || null,
      check: (record) => checkRotation(ceilingOf(call), record, overrides),
    });
    const nowMs = service.clock();
    return {
      issuedApiKey: keyToMessage(rotated.successor, nowMs),
      oldIssuedApiKey: keyToMessage(rotated.retired, nowMs),
      secret: rotated.secret ?? "",
    };
  };
}

/** The fields that the new key does not inherit: see fieldsToWrite. */
function overridesOf(request: RotateIssuedApiKeyRequest): KeyOverrides {
  const names = fieldsToWrite(request, request.overrideMask, "override_mask", RotateIssuedApiKeyRequestSchema, overridable);
  return {
    ...attributesNamed(request, names),
    ...(names.has("visibility") && { visibility: visibilityFromMessage(request.visibility ?? KeyVisibility.UNSPECIFIED) }),
  };
}
