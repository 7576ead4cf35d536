import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ApiKeysService } from "../../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import type { KeyService } from "../../service/key-service.ts";
import { listAuditEvents as listEvents } from "../../service/list-audit-events.ts";
import { eventBytes, maxAnswerBytes } from "../answer-size.ts";
import { endOf } from "../call-turns.ts";
import { contextOf } from "../context.ts";
import { reasonToMessage } from "../message.ts";

export function listAuditEvents(service: KeyService): Implementation<typeof ApiKeysService.method.adminListAuditEvents> {
  return async ({ pageSize, pageToken, filter }, call) => {
    const bounds = { maxBytes: maxAnswerBytes, bytesOf: eventBytes, throwIfOver: endOf(call) };
    const { events, nextPageToken } = await listEvents(service, contextOf(call).tenant, { pageSize, pageToken, filter, ...bounds });
    const auditEvents = events.map(({ timeMs, keyIds, changedFields, revocationReason, errorReason, ...rest }) => ({
      ...rest,
      eventTime: timestampFromMs(timeMs),
      keyIds: [...keyIds],
      changedFields: [...changedFields],
      revocationReason: reasonToMessage(revocationReason),
      errorReason: errorReason ?? "",
    }));
    return { auditEvents, nextPageToken };
  };
}
