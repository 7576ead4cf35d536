import type { ApiKeysService } from "../../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import { setDisabled } from "../../service/disable.ts";
import type { KeyService } from "../../service/key-service.ts";
import { contextOf } from "../context.ts";
import { ceilingOf, checkChange } from "../scope-ceiling.ts";

type Method = typeof ApiKeysService.method.adminDisableApiKey | typeof ApiKeysService.method.adminEnableApiKey;

/** Disables or enables a key of either kind. Enabling restores the key's scopes, so the caller must be allowed to grant them. */
export function disableApiKey(service: KeyService, disabled: boolean): Implementation<Method> {
  return async ({ keyId }, call) => {
    const { tenant, origin } = contextOf(call);
    await setDisabled(service, tenant, origin(), {
      keyId,
      disabled,
      check: (record) => {
        if (!disabled) checkChange(ceilingOf(call), record, { scopes: record.scopes });
      },
    });
    return {};
  };
}
