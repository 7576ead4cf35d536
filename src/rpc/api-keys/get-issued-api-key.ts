import type { ApiKeysService } from "../../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import { getKey } from "../../service/get.ts";
import type { KeyService } from "../../service/key-service.ts";
import { contextOf } from "../context.ts";
import { keyToMessage } from "../message.ts";

export function getIssuedApiKey(service: KeyService): Implementation<typeof ApiKeysService.method.adminGetIssuedApiKey> {
  return async ({ keyId }, call) => keyToMessage(await getKey(service, contextOf(call).tenant, "issued", keyId), service.clock());
}
