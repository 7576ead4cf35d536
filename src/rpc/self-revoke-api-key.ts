import type { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Implementation } from "../call/methods.ts";
import { parseAddress } from "../core/address.ts";
import { prefixOf } from "../core/credential.ts";
import type { SelfRevokeLimits } from "../limit/self-revoke-limits.ts";
import type { KeyService } from "../service/key-service.ts";
import { selfRevokeKey } from "../service/revoke.ts";
import type { TenantDirectory } from "../service/tenant-directory.ts";
import { contextOf } from "./context.ts";
import { reasonFromMessage } from "./message.ts";
import { refuseFor } from "./rate-limit-headers.ts";

export function selfRevokeApiKey(
  service: KeyService,
  { guesses, takeUse, takeRepeat }: SelfRevokeLimits,
  directory: Pick<TenantDirectory, "current" | "tenantOfPrefix">,
): Implementation<typeof ApiKeysService.method.revokeApiKey> {
  return async ({ credential, reason }, call) => {
    const limits = {
      takeGuess: () => refuseFor(call, guesses.take(parseAddress(call.clientAddress))),
      takeUse: (keyId: string) => refuseFor(call, takeUse(keyId), "too many calls with this key; try again later"),
      takeRepeat: (keyId: string) =>
        refuseFor(call, takeRepeat(keyId), "this key is known to be compromised and was reported too often; try again later"),
    };
    const revocation = { reason: reasonFromMessage(reason), description: "" };
    const { tenant: tenantOfCall, origin } = contextOf(call);
    const tenant = directory.tenantOfPrefix(prefixOf(credential)) ?? tenantOfCall;
    if (tenant !== tenantOfCall) await directory.current(tenant);
    await selfRevokeKey(service, tenant, origin(), { credential, revocation }, limits);
    return {};
  };
}
