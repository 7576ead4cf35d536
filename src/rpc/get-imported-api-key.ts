import type { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Implementation } from "../call/methods.ts";
import { defaultTenant } from "../core/tenant.ts";
import { getKey } from "../service/get.ts";
import type { KeyService } from "../service/key-service.ts";
import { keyToMessage } from "./message.ts";

export function getImportedApiKey(service: KeyService): Implementation<typeof ApiKeysService.method.adminGetImportedApiKey> {
  return async ({ keyId }) => keyToMessage(await getKey(service, defaultTenant, "imported", keyId), service.clock());
}
