import type { ApiKeysService } from "../../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import type { KeyService } from "../../service/key-service.ts";
import { listKeys } from "../../service/list.ts";
import { mapInTurns } from "../../turns.ts";
import { turnsOf } from "../call-turns.ts";
import { contextOf } from "../context.ts";
import { listRequestOf, pageFields } from "../list-request.ts";
import { keyToMessage } from "../message.ts";

export function listIssuedApiKeys(service: KeyService): Implementation<typeof ApiKeysService.method.adminListIssuedApiKeys> {
  return async (request, call) => {
    const page = await listKeys(service, contextOf(call).tenant, listRequestOf("issued", request, call));
    const nowMs = service.clock();
    return { issuedApiKeys: await mapInTurns(page.records, (record) => keyToMessage(record, nowMs), turnsOf(call)), ...pageFields(page) };
  };
}
