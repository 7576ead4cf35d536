import type { ApiKeysService } from "../../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { ImportedApiKeySchema } from "../../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import { invalidField } from "../../error/failure.ts";
import type { KeyService } from "../../service/key-service.ts";
import { updateKey } from "../../service/update.ts";
import { contextOf } from "../context.ts";
import { keyToMessage } from "../message.ts";
import { attributesToWrite, checkUpdate } from "./update-request.ts";

export function updateImportedApiKey(service: KeyService): Implementation<typeof ApiKeysService.method.adminUpdateImportedApiKey> {
  return async ({ importedApiKey, updateMask }, call) => {
    if (importedApiKey === undefined || importedApiKey.keyId === "") throw invalidField("imported_api_key.key_id", "must not be empty");
    const attributes = attributesToWrite(ImportedApiKeySchema, importedApiKey, updateMask, "imported_api_key.");
    const { tenant, origin } = contextOf(call);
    const record = await updateKey(service, tenant, origin(), {
      kind: "imported",
      keyId: importedApiKey.keyId,
      attributes,
      check: checkUpdate(call, attributes, "imported_api_key", importedApiKey),
    });
    return keyToMessage(record, service.clock());
  };
}
