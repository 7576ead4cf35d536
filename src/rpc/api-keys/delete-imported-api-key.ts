import type { ApiKeysService } from "../../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import { deleteImportedKey } from "../../service/delete.ts";
import type { KeyService } from "../../service/key-service.ts";
import { contextOf } from "../context.ts";

export function deleteImportedApiKey(service: KeyService): Implementation<typeof ApiKeysService.method.adminDeleteImportedApiKey> {
  return async ({ keyId }, call) => {
    const { tenant, origin } = contextOf(call);
    await deleteImportedKey(service, tenant, origin(), keyId);
    return {};
  };
}
