import type { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Implementation } from "../call/methods.ts";
import { defaultTenant } from "../core/tenant.ts";
import { importKey } from "../service/import.ts";
import type { KeyService } from "../service/key-service.ts";
import { importFromMessage } from "./create-request.ts";
import { keyToMessage } from "./message.ts";
import { originOf } from "./origin.ts";

export function importApiKey(service: KeyService): Implementation<typeof ApiKeysService.method.adminImportApiKey> {
  return async (request, call) =>
    keyToMessage(await importKey(service, defaultTenant, originOf(call), importFromMessage(request)), service.clock());
}
