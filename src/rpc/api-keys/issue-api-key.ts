import type { ApiKeysService } from "../../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import { issueKey } from "../../service/issue.ts";
import type { KeyService } from "../../service/key-service.ts";
import { contextOf } from "../context.ts";
import { keyToMessage } from "../message.ts";
import { checkNewKey } from "../scope-ceiling.ts";
import { newKeyFromMessage } from "./create-request.ts";

export function issueApiKey(service: KeyService): Implementation<typeof ApiKeysService.method.adminIssueApiKey> {
  return async (request, call) => {
    const { tenant, origin } = contextOf(call);
    const wanted = newKeyFromMessage(request);
    checkNewKey(call, wanted.attributes);
    const { record, secret } = await issueKey(service, tenant, origin(), wanted);
    return { issuedApiKey: keyToMessage(record, service.clock()), secret: secret ?? "" };
  };
}
