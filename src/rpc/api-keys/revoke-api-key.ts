import type { ApiKeysService } from "../../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { RevocationReason } from "../../../gen/keywright/v2alpha1/revocation_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import type { KeyKind } from "../../core/key.ts";
import { invalidField } from "../../error/failure.ts";
import type { KeyService } from "../../service/key-service.ts";
import { revokeKey } from "../../service/revoke.ts";
import { contextOf } from "../context.ts";
import { reasonFromMessage } from "../message.ts";

/** Revokes keys of one kind, or of both kinds if none is given. */
export function revokeApiKey(service: KeyService, kind?: KeyKind): Implementation<typeof ApiKeysService.method.adminRevokeApiKey> {
  return async ({ keyId, reason, description }, call) => {
    if (description !== "" && reason !== RevocationReason.PRIVILEGE_WITHDRAWN) {
      throw invalidField("description", "is only allowed when reason is REVOCATION_REASON_PRIVILEGE_WITHDRAWN");
    }
    const { tenant, origin } = contextOf(call);
    const revocation = { reason: reasonFromMessage(reason), description };
    await revokeKey(service, tenant, origin(), { keyId, revocation, kind });
    return {};
  };
}
