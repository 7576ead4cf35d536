import type { ApiKeysService } from "../../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import { importKey } from "../../service/import.ts";
import type { KeyService } from "../../service/key-service.ts";
import { contextOf } from "../context.ts";
import { keyToMessage } from "../message.ts";
import { checkNewKey } from "../scope-ceiling.ts";
import { importFromMessage } from "./create-request.ts";

export function importApiKey(service: KeyService): Implementation<typeof ApiKeysService.method.adminImportApiKey> {
  return async (request, call) => {
    const { tenant, origin } = contextOf(call);
    const wanted = importFromMessage(request);
    checkNewKey(call, wanted.attributes);
    return keyToMessage(await importKey(service, tenant, origin(), wanted), service.clock());
  };
}
