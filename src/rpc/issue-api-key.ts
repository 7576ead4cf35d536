import type { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Implementation } from "../call/methods.ts";
import { defaultTenant } from "../core/tenant.ts";
import { issueKey } from "../service/issue.ts";
import type { KeyService } from "../service/key-service.ts";
import { newKeyFromMessage } from "./create-request.ts";
import { keyToMessage } from "./message.ts";
import { originOf } from "./origin.ts";

export function issueApiKey(service: KeyService): Implementation<typeof ApiKeysService.method.adminIssueApiKey> {
  return async (request, call) => {
    const { record, secret } = await issueKey(service, defaultTenant, originOf(call), newKeyFromMessage(request));
    return { issuedApiKey: keyToMessage(record, service.clock()), secret: secret ?? "" };
  };
}
