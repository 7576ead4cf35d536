import type { ApiKeysService } from "../../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { ImportedApiKeySchema } from "../../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import type { KeyService } from "../../service/key-service.ts";
import { updateFromRequest } from "./update-request.ts";

const form = { kind: "imported", schema: ImportedApiKeySchema, field: "imported_api_key" } as const;

export function updateImportedApiKey(service: KeyService): Implementation<typeof ApiKeysService.method.adminUpdateImportedApiKey> {
  return ({ importedApiKey, updateMask }, call) => updateFromRequest(service, call, form, importedApiKey, updateMask);
}
