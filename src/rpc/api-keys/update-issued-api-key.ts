import type { ApiKeysService } from "../../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { IssuedApiKeySchema } from "../../../gen/keywright/v2alpha1/issued_api_key_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import { invalidField } from "../../error/failure.ts";
import type { KeyService } from "../../service/key-service.ts";
import { updateKey } from "../../service/update.ts";
import { contextOf } from "../context.ts";
import { keyToMessage } from "../message.ts";
import { attributesToWrite, checkUpdate } from "./update-request.ts";

export function updateIssuedApiKey(service: KeyService): Implementation<typeof ApiKeysService.method.adminUpdateIssuedApiKey> {
  return async ({ issuedApiKey, updateMask }, call) => {
    if (issuedApiKey === undefined || issuedApiKey.keyId === "") throw invalidField("issued_api_key.key_id", "must not be empty");
    const attributes = attributesToWrite(IssuedApiKeySchema, issuedApiKey, updateMask, "issued_api_key.");
    const { tenant, origin } = contextOf(call);
    const record = await updateKey(service, tenant, origin(), {
      kind: "issued",
      keyId: issuedApiKey.keyId,
      attributes,
      check: checkUpdate(call, attributes, "issued_api_key", issuedApiKey),
    });
    return keyToMessage(record, service.clock());
  };
}
