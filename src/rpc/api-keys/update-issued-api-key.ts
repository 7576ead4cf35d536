import type { ApiKeysService } from "../../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { IssuedApiKeySchema } from "../../../gen/keywright/v2alpha1/issued_api_key_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import type { KeyService } from "../../service/key-service.ts";
import { updateFromRequest } from "./update-request.ts";

const form = { kind: "issued", schema: IssuedApiKeySchema, field: "issued_api_key" } as const;

export function updateIssuedApiKey(service: KeyService): Implementation<typeof ApiKeysService.method.adminUpdateIssuedApiKey> {
  return ({ issuedApiKey, updateMask }, call) => updateFromRequest(service, call, form, issuedApiKey, updateMask);
}
