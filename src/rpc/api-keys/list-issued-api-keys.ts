import type { ApiKeysService } from "../../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import type { KeyService } from "../../service/key-service.ts";
import { listFromRequest } from "../list-request.ts";

export function listIssuedApiKeys(service: KeyService): Implementation<typeof ApiKeysService.method.adminListIssuedApiKeys> {
  return async (request, call) => {
    const { keys, ...rest } = await listFromRequest(service, call, "issued", request);
    return { issuedApiKeys: keys, ...rest };
  };
}
