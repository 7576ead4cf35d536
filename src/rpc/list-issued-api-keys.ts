import type { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Implementation } from "../call/methods.ts";
import type { KeyService } from "../service/key-service.ts";
import { listKeys } from "../service/list.ts";
import { keyBytes, maxAnswerBytes } from "./answer-size.ts";
import { contextOf } from "./context.ts";
import { keyToMessage } from "./message.ts";

export function listIssuedApiKeys(service: KeyService): Implementation<typeof ApiKeysService.method.adminListIssuedApiKeys> {
  return async ({ pageSize, pageToken, filter }, call) => {
    const bounds = { maxBytes: maxAnswerBytes, bytesOf: keyBytes };
    const page = await listKeys(service, contextOf(call).tenant, { kind: "issued", pageSize, pageToken, filter, ...bounds });
    const nowMs = service.clock();
    return { issuedApiKeys: page.records.map((record) => keyToMessage(record, nowMs)), nextPageToken: page.nextPageToken };
  };
}
